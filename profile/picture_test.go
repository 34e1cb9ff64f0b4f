package profile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"contactsd/contact"
)

// tinyWebP is one transparent pixel, without loss.
const tinyWebP = "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"

// chunk is a chunk of a PNG.
func chunk(name string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// pngOf is the start of a PNG of that size, with as much after it as is given.
func pngOf(width, height uint32, rest ...[]byte) []byte {
	header := binary.BigEndian.AppendUint32(nil, width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 6, 0, 0, 0)
	return bytes.Join(append([][]byte{[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header)}, rest...), nil)
}

// jpegOf is the start of a progressive JPEG of that size in grey, with so many scans.
func jpegOf(width, height uint16, scans int) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xc2, 0, 11, 8}
	b = binary.BigEndian.AppendUint16(b, height)
	b = binary.BigEndian.AppendUint16(b, width)
	b = append(b, 1, 1, 0x11, 0)
	b = append(b, 0xff, 0xc4, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // one code, "0", for 0
	for range scans {
		b = append(b, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0, 0)
	}
	return b
}

// drawing is a picture of few colours; photo one of noise.
func drawing(width, height int, back color.Color) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, back)
			if x/8%2 == y/8%2 {
				m.Set(x, y, color.NRGBA{200, 30, 30, 255})
			}
		}
	}
	return m
}

func photo(width, height int, alpha bool) *image.NRGBA {
	r := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
		if i%4 == 3 && !alpha {
			m.Pix[i] = 255
		}
	}
	return m
}

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// good fails unless p is what a picture is said to be; it returns its size.
func good(t testing.TB, p Picture) image.Point {
	t.Helper()
	if p.Type() != "image/png" && p.Type() != "image/jpeg" || len(p) > MaxPictureSize {
		t.Fatalf("%q of %d bytes", p.Type(), len(p))
	}
	m, err := decodePicture(p, pictureSide, pictureSide*pictureSide, formatPNG, formatJPEG)
	if err != nil {
		t.Fatal(err)
	}
	if b := m.Bounds(); b.Dx() != b.Dy() {
		t.Fatalf("%v is no square", b)
	}
	return m.Bounds().Size()
}

func TestPictureIsASmallSquare(t *testing.T) {
	clear := color.NRGBA{}
	for name, tt := range map[string]struct {
		given []byte
		side  int
		typ   string
	}{
		"wide drawing":        {asPNG(t, drawing(800, 300, color.White)), 256, "image/png"},
		"small drawing":       {asPNG(t, drawing(64, 100, color.White)), 64, "image/png"},
		"transparent drawing": {asPNG(t, drawing(512, 512, clear)), 256, "image/png"},
		"tall photo":          {asJPEG(t, photo(200, 900, false), 1), 200, "image/jpeg"},
		"one pixel":           {asPNG(t, drawing(1, 1, clear)), 1, "image/png"},
		"as wide as may be":   {asPNG(t, image.NewGray(image.Rect(0, 0, 4096, 16))), 16, "image/png"},
		"WebP":                {[]byte(tinyWebP), 1, "image/png"},
		"paletted":            {asPNG(t, image.NewPaletted(image.Rect(0, 0, 300, 300), color.Palette{color.Black, color.White})), 256, "image/png"},
		"16 bits":             {asPNG(t, image.NewRGBA64(image.Rect(0, 0, 300, 300))), 256, "image/png"},
	} {
		p, err := NewPicture(tt.given)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if size := good(t, p); size.X != tt.side || p.Type() != tt.typ {
			t.Errorf("%s: %d pixels, %s; want %d, %s", name, size.X, p.Type(), tt.side, tt.typ)
		}
		again, err := foreignPicture(p) // as another device takes it
		if err != nil || good(t, again) != good(t, p) {
			t.Errorf("%s: what is sent is not taken: %v", name, err)
		}
	}
	if p, err := NewPicture(nil); p != nil || err != nil || p.Type() != "" {
		t.Errorf("nothing became %q, %v", p, err)
	}
}

// TestNoiseFits: what can't be squeezed into a PNG of 64 KiB becomes a JPEG.
func TestNoiseFits(t *testing.T) {
	for _, alpha := range []bool{false, true} {
		p, err := encodePicture(photo(pictureSide, pictureSide, alpha))
		if err != nil {
			t.Fatal(err)
		}
		if good(t, p); p.Type() != "image/jpeg" {
			t.Errorf("alpha %v: %s", alpha, p.Type())
		}
	}
}

// TestPictureTellsNothingElse: what a file holds beside its pixels is not passed on.
func TestPictureTellsNothingElse(t *testing.T) {
	const secret = "52.5200 N 13.4050 E"
	plain := asPNG(t, drawing(32, 32, color.White))
	const ihdr = 8 + 25
	withText := bytes.Join([][]byte{plain[:ihdr], chunk("tEXt", []byte("GPS\x00"+secret)), plain[ihdr:], []byte(secret)}, nil)
	photo := asJPEG(t, drawing(32, 32, color.White), 90)
	exif := append([]byte("Exif\x00\x00"), secret...)
	withExif := bytes.Join([][]byte{photo[:2], {0xff, 0xe1, 0, byte(len(exif) + 2)}, exif, photo[2:], []byte(secret)}, nil)
	for name, b := range map[string][]byte{"PNG": withText, "JPEG": withExif} {
		for how, take := range map[string]func([]byte) (Picture, error){"given": NewPicture, "sent": foreignPicture} {
			p, err := take(b)
			if err != nil || bytes.Contains(p, []byte(secret)) || bytes.Contains(p, []byte("Exif")) {
				t.Errorf("%s, %s: %v, or it tells where it was taken", name, how, err)
			}
		}
	}
}

// bombs are what somebody sends who means ill.
func bombs(t testing.TB) map[string][]byte {
	drawn := asPNG(t, drawing(200, 200, color.White))
	still := asJPEG(t, drawing(200, 200, color.White), 80)
	var anim bytes.Buffer
	if err := gif.EncodeAll(&anim, &gif.GIF{
		Image: []*image.Paletted{image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.Black})}, Delay: []int{0},
	}); err != nil {
		t.Fatal(err)
	}
	webp := func(chunks string) []byte {
		b := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(chunks)+4))
		return append(b, "WEBP"+chunks...)
	}
	return map[string][]byte{
		"PNG of 65535×65535":  append(pngOf(65535, 65535), make([]byte, 60<<10)...),
		"PNG of 2^31":         pngOf(1<<31-1, 1<<31-1),
		"PNG of 4096×4096":    pngOf(4096, 4096, chunk("IDAT", make([]byte, 1000))),
		"PNG of no width":     pngOf(0, 10),
		"PNG cut off":         drawn[:len(drawn)/2],
		"PNG of a header":     drawn[:8],
		"PNG, pixels missing": pngOf(200, 200, chunk("IDAT", nil), chunk("IEND", nil)),
		"JPEG of 65535×65535": jpegOf(65535, 65535, 1),
		"JPEG of many scans":  jpegOf(2000, 2000, 4000),
		"JPEG cut off":        still[:len(still)/2],
		"JPEG of a marker":    {0xff, 0xd8, 0xff},
		"GIF":                 anim.Bytes(),
		"SVG":                 []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
		"HTML and then a PNG": append([]byte("<html><script>alert(1)</script>"), drawn...),
		"ZIP":                 []byte("PK\x03\x04"),
		"64 KiB and one":      append(bytes.Clone(drawn), make([]byte, MaxPictureSize+1-len(drawn))...),
		"a megabyte":          make([]byte, 1<<20),
		"WebP, animated":      webp("VP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x09\x00\x00\x09\x00\x00ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"WebP of 2^24 pixels": webp("VP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff"),
		"WebP of 16384×16384": webp("VP8L\x08\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00"),
		"WebP, larger within": webp("VP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00VP8L\x08\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00"),
		"WebP of a header":    webp(""),
		"WebP cut off":        []byte(tinyWebP)[:26],
		"RIFF of something":   []byte("RIFF\x04\x00\x00\x00WAVEfmt "),
		"one byte":            {0},
		"PNG of a wrong sum":  append(bytes.Clone(drawn[:40]), drawn[44:]...),
	}
}

// TestBombsCostNothing: each is refused in words, and nothing like what it promises
// is allocated.
func TestBombsCostNothing(t *testing.T) {
	for name, b := range bombs(t) {
		for how, take := range map[string]func([]byte) (Picture, error){"given": NewPicture, "sent": foreignPicture} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, err := take(b)
			runtime.ReadMemStats(&after)
			var limit *contact.LimitError
			var invalid *contact.InvalidError
			if p != nil || !errors.As(err, &limit) && !errors.As(err, &invalid) {
				t.Errorf("%s, %s: %d bytes, %v", name, how, len(p), err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
				t.Errorf("%s, %s: %d bytes allocated", name, how, got)
			}
			if err != nil && (!strings.HasPrefix(err.Error(), "avatar") || len(err.Error()) > 200) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
}

// TestPolyglotsAreOnlyPictures: a picture that is something else as well is taken
// for what it shows, and the rest is gone.
func TestPolyglotsAreOnlyPictures(t *testing.T) {
	const tail = "<script>alert(1)</script>PK\x05\x06"
	for name, b := range map[string][]byte{
		"PNG":  append(asPNG(t, drawing(40, 40, color.White)), tail...),
		"JPEG": append(asJPEG(t, drawing(40, 40, color.White), 80), tail...),
	} {
		p, err := NewPicture(b)
		if err != nil || bytes.Contains(p, []byte("script")) {
			t.Errorf("%s: %v, or it is still both", name, err)
		}
	}
}

// TestForeignPicturesAreOfTheRightSize: a device sends what it keeps, so another one
// takes no larger picture and no WebP.
func TestForeignPicturesAreOfTheRightSize(t *testing.T) {
	for name, b := range map[string][]byte{
		"wide": asPNG(t, drawing(257, 10, color.White)),
		"WebP": []byte(tinyWebP),
	} {
		if p, err := foreignPicture(b); err == nil {
			t.Errorf("%s: taken, %d bytes", name, len(p))
		}
	}
}

// FuzzPicture: whatever is given or sent, there is a good picture or an error.
func FuzzPicture(f *testing.F) {
	for _, b := range bombs(f) {
		if len(b) <= 4<<10 {
			f.Add(b)
		}
	}
	f.Add([]byte(tinyWebP))
	f.Add(asPNG(f, drawing(20, 10, color.NRGBA{})))
	f.Add(asJPEG(f, photo(20, 10, false), 50))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, take := range []func([]byte) (Picture, error){NewPicture, foreignPicture} {
			if p, err := take(b); err == nil && len(b) > 0 {
				good(t, p)
			}
		}
	})
}
