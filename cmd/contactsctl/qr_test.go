package main

import (
	"bytes"
	pixel "image/color"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/boombuler/barcode/qr"
)

// matrix reads modules back from what was drawn, true for dark, without the border.
func matrix(t *testing.T, drawn string) [][]bool {
	t.Helper()
	var rows [][]bool
	for _, line := range strings.Split(strings.TrimSuffix(drawn, "\n"), "\n") {
		var upper, lower []bool
		for _, r := range line {
			switch r {
			case '█':
				upper, lower = append(upper, false), append(lower, false)
			case '▀':
				upper, lower = append(upper, false), append(lower, true)
			case '▄':
				upper, lower = append(upper, true), append(lower, false)
			case ' ':
				upper, lower = append(upper, true), append(lower, true)
			default:
				t.Fatalf("drawn with %q", r)
			}
		}
		rows = append(rows, upper, lower)
	}
	width := len(rows[0])
	size := width - 2*quiet
	var modules [][]bool
	for y, row := range rows {
		if len(row) != width {
			t.Fatalf("row %d has %d modules, not %d", y, len(row), width)
		}
		inside := y >= quiet && y < quiet+size
		for x, dark := range row {
			if dark && (!inside || x < quiet || x >= quiet+size) && y < size+2*quiet {
				t.Fatalf("a dark module in the border at %d,%d", x, y)
			}
		}
		if inside {
			modules = append(modules, row[quiet:quiet+size])
		}
	}
	return modules
}

// What is drawn is what was encoded, and a decoder that shares no code with the
// encoder reads the text from it.
func TestQRIsScannedBack(t *testing.T) {
	link := "contacts:odid1" + strings.Repeat("q", 58) + "?name=Ana%27s+phone&addr="
	for _, text := range []string{
		"x",
		link + "#" + strings.Repeat("-_", 11),
		link + "/ip4/192.168.178.123/udp/41000/quic-v1&addr=/ip4/192.168.178.123/tcp/41000#" + strings.Repeat("Zz", 11),
		link + strings.Repeat("/ip6/2001:db8:85a3:8d3:1319:8a2e:370:7348/udp/41000/quic-v1&addr=", 4) + "#" + strings.Repeat("09", 11),
		strings.Repeat("long ", 120),
	} {
		drawn, err := (&app{}).drawQR(text)
		if err != nil {
			t.Fatal(err)
		}
		modules := matrix(t, drawn)
		code, err := qr.Encode(text, qr.L, qr.Unicode)
		if err != nil {
			t.Fatal(err)
		}
		for y, row := range modules {
			for x, dark := range row {
				if dark != (code.At(x, y) == pixel.Black) {
					t.Fatalf("module %d,%d is drawn %v", x, y, dark)
				}
			}
		}
		if got := scan(t, modules); got != text {
			t.Errorf("%q was read, %q was drawn", got, text)
		}
	}
	// A reader must notice damage that it can't repair.
	drawn, _ := (&app{}).drawQR(link)
	modules := matrix(t, drawn)
	modules[20][20] = !modules[20][20]
	if got := read(modules); got == link && syndromesOf(modules) {
		t.Error("a changed module went unnoticed")
	}
}

func TestQRFitsATerminal(t *testing.T) {
	drawn, err := (&app{}).drawQR("contacts:odid1" + strings.Repeat("q", 58) + "?name=Ana&addr=/ip4/192.168.178.123/udp/41000/quic-v1&addr=/ip4/192.168.178.123/tcp/41000#" + strings.Repeat("Z", 22))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(drawn, "\n")
	if n := utf8.RuneCountInString(line); n > 80 {
		t.Errorf("%d columns", n)
	}
	colored, err := (&app{color: true}).drawQR("x")
	if err != nil || strings.Count(colored, "\x1b[97;40m") != strings.Count(colored, "\n") || strings.Count(colored, "\x1b[0m") != strings.Count(colored, "\n") {
		t.Errorf("%q, %v", colored, err)
	}
}

// scan reads a QR code of level L in byte mode as ISO/IEC 18004 has it, and checks
// the error correction of every block.
func scan(t *testing.T, m [][]bool) string {
	t.Helper()
	if !syndromesOf(m) {
		t.Fatal("the error correction does not fit the data")
	}
	return read(m)
}

// blocksOfL is table 9 of the standard for level L: by version, error correction
// codewords a block, then blocks and data codewords of each, of both groups.
var blocksOfL = map[int][5]int{
	1: {7, 1, 19}, 2: {10, 1, 34}, 3: {15, 1, 55}, 4: {20, 1, 80}, 5: {26, 1, 108}, 6: {18, 2, 68}, 7: {20, 2, 78},
	8: {24, 2, 97}, 9: {30, 2, 116}, 10: {18, 2, 68, 2, 69}, 11: {20, 4, 81}, 12: {24, 2, 92, 2, 93}, 13: {26, 4, 107},
	14: {30, 3, 115, 1, 116}, 15: {22, 5, 87, 1, 88}, 16: {24, 5, 98, 1, 99}, 17: {28, 1, 107, 5, 108},
}

// alignment is annex E: where alignment patterns have their centres.
func alignment(version int) []int {
	if version == 1 {
		return nil
	}
	n, last := version/7+2, version*4+10
	step := (last - 6 + 2*(n-1) - 1) / (2 * (n - 1)) * 2
	at := make([]int, n)
	for i := n - 1; i > 0; i-- {
		at[i] = last - (n-1-i)*step
	}
	at[0] = 6
	return at
}

// codewords undoes the mask and collects the bytes along the zigzag of 7.7.3.
func codewords(m [][]bool) (version int, out []byte) {
	size := len(m)
	version = (size - 17) / 4
	taken := make([][]bool, size)
	for y := range taken {
		taken[y] = make([]bool, size)
	}
	take := func(x, y, w, h int) {
		for j := y; j < y+h; j++ {
			for i := x; i < x+w; i++ {
				taken[j][i] = true
			}
		}
	}
	take(0, 0, 9, 9)
	take(size-8, 0, 8, 9)
	take(0, size-8, 9, 8)
	take(6, 0, 1, size)
	take(0, 6, size, 1)
	at := alignment(version)
	for i, x := range at {
		for j, y := range at {
			first, last := 0, len(at)-1
			if i == first && j == first || i == first && j == last || i == last && j == first {
				continue
			}
			take(x-2, y-2, 5, 5)
		}
	}
	if version >= 7 {
		take(size-11, 0, 3, 6)
		take(0, size-11, 6, 3)
	}
	// Format information: bits 14 to 10 are level and mask, under a mask of their own.
	format := 0
	for x := range 5 {
		format <<= 1
		if m[8][x] {
			format |= 1
		}
	}
	mask := (format ^ 0b10101) & 7
	bit, b := 0, byte(0)
	up := true
	for right := size - 1; right > 0; right -= 2 {
		if right == 6 {
			right--
		}
		for k := range size {
			y := k
			if up {
				y = size - 1 - k
			}
			for _, x := range []int{right, right - 1} {
				if taken[y][x] {
					continue
				}
				v := m[y][x] != masked(mask, x, y)
				b <<= 1
				if v {
					b |= 1
				}
				if bit++; bit%8 == 0 {
					out = append(out, b)
				}
			}
		}
		up = !up
	}
	return version, out
}

func masked(mask, x, y int) bool {
	switch mask {
	case 0:
		return (x+y)%2 == 0
	case 1:
		return y%2 == 0
	case 2:
		return x%3 == 0
	case 3:
		return (x+y)%3 == 0
	case 4:
		return (y/2+x/3)%2 == 0
	case 5:
		return x*y%2+x*y%3 == 0
	case 6:
		return (x*y%2+x*y%3)%2 == 0
	}
	return ((x+y)%2+x*y%3)%2 == 0
}

// blocks takes the interleaved codewords apart: data of each block, then the whole
// blocks with their error correction.
func blocks(m [][]bool) (data []byte, whole [][]byte, correction int) {
	version, words := codewords(m)
	p := blocksOfL[version]
	var sizes []int
	for range p[1] {
		sizes = append(sizes, p[2])
	}
	for range p[3] {
		sizes = append(sizes, p[4])
	}
	whole = make([][]byte, len(sizes))
	next := 0
	for i := range max(p[2], p[4]) {
		for b, n := range sizes {
			if i < n {
				whole[b] = append(whole[b], words[next])
				next++
			}
		}
	}
	data = bytes.Join(whole, nil)
	for range p[0] {
		for b := range sizes {
			whole[b] = append(whole[b], words[next])
			next++
		}
	}
	return data, whole, p[0]
}

// syndromesOf reports whether every block is a codeword of its Reed-Solomon code
// over GF(256) with the polynomial 0x11d.
func syndromesOf(m [][]bool) bool {
	mul := func(a, b byte) (p byte) {
		for ; b > 0; b >>= 1 {
			if b&1 == 1 {
				p ^= a
			}
			carry := a & 0x80
			if a <<= 1; carry > 0 {
				a ^= 0x1d
			}
		}
		return p
	}
	_, whole, correction := blocks(m)
	for _, block := range whole {
		root := byte(1)
		for range correction {
			sum := byte(0)
			for _, c := range block {
				sum = mul(sum, root) ^ c
			}
			if sum != 0 {
				return false
			}
			root = mul(root, 2)
		}
	}
	return len(whole) > 0
}

// read takes the text out of the first segment, which must be in byte mode.
func read(m [][]bool) string {
	data, _, _ := blocks(m)
	at := 0
	take := func(n int) (v int) {
		for range n {
			v = v<<1 | int(data[at/8]>>(7-at%8)&1)
			at++
		}
		return v
	}
	if mode := take(4); mode != 4 {
		return ""
	}
	n := take(8)
	if len(m) > 17+4*9 {
		n = n<<8 | take(8)
	}
	var out []byte
	for range n {
		out = append(out, byte(take(8)))
	}
	return string(out)
}
