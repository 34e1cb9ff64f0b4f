package desktop

import (
	"math"

	"contactsd/desktop/bus"
)

// The icon says by its shape, and by colour as well, what state this device is in:
//
//	online       a full disc
//	away         a crescent
//	busy         a disc with a bar
//	invisible    a ring
//	not running  a ring that is struck through
//
// Requests that wait are a second, small disc in the upper right corner.

// iconSizes are what panels ask for, in pixels.
func iconSizes() []int { return []int{22, 32, 48} }

// ink is a colour without its transparency.
type ink [3]byte

// point is a place on the icon: from -1 to 1, y downwards.
type point struct{ x, y float64 }

func (p point) within(center point, radius float64) bool {
	return math.Hypot(p.x-center.x, p.y-center.y) <= radius
}

// shape reports whether a point is part of what is drawn for a state, and its colour.
func shape(state string) (in func(point) bool, colour ink) {
	disc := func(p point) bool { return p.within(point{}, 0.8) }
	ring := func(p point) bool { return disc(p) && !p.within(point{}, 0.55) }
	switch state {
	case "online":
		return disc, ink{0x2e, 0xa0, 0x43}
	case "away":
		return func(p point) bool { return disc(p) && !p.within(point{0.4, -0.3}, 0.65) }, ink{0xd2, 0x99, 0x22}
	case "busy":
		return func(p point) bool { return disc(p) && (math.Abs(p.y) > 0.16 || math.Abs(p.x) > 0.5) }, ink{0xda, 0x36, 0x33}
	case stateDown:
		return func(p point) bool { return ring(p) || disc(p) && math.Abs(p.x+p.y) < 0.18 }, ink{0x8b, 0x94, 0x9e}
	}
	return ring, ink{0x8b, 0x94, 0x9e}
}

// badge is the disc of requests, and around it the gap that sets it off.
const badgeRadius, badgeGap = 0.38, 0.12

// icons draws the icon in each size.
func icons(state string, badge bool) []bus.Pixmap {
	in, colour := shape(state)
	corner := point{0.6, -0.6}
	var list []bus.Pixmap
	for _, size := range iconSizes() {
		list = append(list, draw(size, func(p point) (ink, bool) {
			switch {
			case badge && p.within(corner, badgeRadius):
				return ink{0x1f, 0x6f, 0xeb}, true
			case badge && p.within(corner, badgeRadius+badgeGap):
				return ink{}, false
			}
			return colour, in(p)
		}))
	}
	return list
}

// smooth is how many points each way are looked at for one pixel.
const smooth = 4

// draw makes a picture of what is at each point.
func draw(size int, at func(point) (ink, bool)) bus.Pixmap {
	pixels := make([]byte, 0, 4*size*size)
	for y := range size {
		for x := range size {
			var sum [3]int
			covered := 0
			for i := range smooth * smooth {
				place := func(cell, part int) float64 {
					return (float64(cell)+(float64(part)+0.5)/smooth)*2/float64(size) - 1
				}
				if c, ok := at(point{place(x, i%smooth), place(y, i/smooth)}); ok {
					covered++
					for k := range sum {
						sum[k] += int(c[k])
					}
				}
			}
			pixels = append(pixels, byte(255*covered/(smooth*smooth)))
			for k := range sum {
				pixels = append(pixels, byte(sum[k]/max(covered, 1)))
			}
		}
	}
	return bus.Pixmap{Width: int32(size), Height: int32(size), Pixels: pixels}
}
