package desktop

import (
	"testing"

	"contactsd/desktop/bus"
)

// mask returns which pixels are drawn, by their transparency alone.
func mask(p bus.Pixmap) (drawn []bool) {
	for i := 0; i < len(p.Pixels); i += 4 {
		drawn = append(drawn, p.Pixels[i] > 127)
	}
	return drawn
}

// apart returns which part of the pixels two icons differ in.
func apart(a, b []bool) float64 {
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

// TestShapesDiffer: who sees no colours tells the states apart.
func TestShapesDiffer(t *testing.T) {
	states := []string{"online", "away", "busy", "invisible", stateDown}
	for i, a := range states {
		for size, of := range icons(a, false) {
			for _, b := range states[:i] {
				if d := apart(mask(of), mask(icons(b, false)[size])); d < 0.02 {
					t.Errorf("%s and %s differ in %.1f %% of %d pixels across", a, b, 100*d, of.Width)
				}
			}
			if d := apart(mask(of), mask(icons(a, true)[size])); d < 0.02 {
				t.Errorf("%s with and without a badge differ in %.1f %%", a, 100*d)
			}
		}
	}
}

func TestPixmaps(t *testing.T) {
	for i, p := range icons("online", true) {
		size := icons("online", true)[i].Width
		if p.Width != p.Height || len(p.Pixels) != int(4*size*size) {
			t.Fatalf("%d by %d with %d bytes", p.Width, p.Height, len(p.Pixels))
		}
		at := func(x, y int32) [4]byte { return [4]byte(p.Pixels[4*(y*size+x):]) }
		if got := at(size/2, size/2); got != [4]byte{255, 0x2e, 0xa0, 0x43} {
			t.Errorf("in the middle %v: alpha, red, green, blue", got)
		}
		if got := at(0, size-1); got[0] != 0 {
			t.Errorf("the lower left corner is %v, not transparent", got)
		}
		if got := at(size*4/5, size/5); got != [4]byte{255, 0x1f, 0x6f, 0xeb} {
			t.Errorf("the badge is %v", got)
		}
	}
}
