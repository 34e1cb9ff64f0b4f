package main

import (
	pixel "image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the light border that a scanner needs, in modules (ISO/IEC 18004, 9.1).
const quiet = 4

// drawQR draws text as a QR code, two modules to a character: light ones are drawn,
// dark ones left out, so that it reads on a dark terminal, and on any with colours.
func (a *app) drawQR(text string) (string, error) {
	code, err := qr.Encode(text, qr.L, qr.Unicode)
	if err != nil {
		return "", err
	}
	size := code.Bounds().Dx()
	light := func(x, y int) bool {
		if x < 0 || y < 0 || x >= size || y >= size {
			return y < size+quiet
		}
		return code.At(x, y) == pixel.White
	}
	var b strings.Builder
	for y := -quiet; y < size+quiet; y += 2 {
		if a.color {
			b.WriteString("\x1b[97;40m")
		}
		for x := -quiet; x < size+quiet; x++ {
			switch upper, lower := light(x, y), light(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		if a.color {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
