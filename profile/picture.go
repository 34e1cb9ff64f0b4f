package profile

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"

	"contactsd/contact"
)

// Limits of a picture.
const (
	MaxPictureSize = 64 << 10 // bytes, as it is given and as it is kept
	pictureSide    = 256      // pixels of the square that is kept, at most
	maxSide        = 4096     // pixels, of a picture that is given
	maxPixels      = 4 << 20  // of a picture that is given: at most 32 MiB when decoded
	maxScans       = 64       // of a JPEG; a progressive one has about ten
)

// Picture is an avatar, encoded by this device: square, at most 256 pixels a
// side, a PNG or a JPEG of at most 64 KiB without any metadata.
type Picture []byte

// Type is the picture's media type, "" if there is none.
func (p Picture) Type() string {
	switch formatOf(p) {
	case formatPNG:
		return "image/png"
	case formatJPEG:
		return "image/jpeg"
	}
	return ""
}

// NewPicture makes a picture of what a user gave: a PNG, JPEG or WebP of at most
// 64 KiB. Nothing is decoded whose header promises more than 4096 pixels a side or
// 4 megapixels in all. The middle square is taken and made smaller; position,
// camera and whatever else the file tells is left out. Nothing in, nothing out.
// Errors: *contact.LimitError, *contact.InvalidError.
func NewPicture(given []byte) (Picture, error) {
	if len(given) == 0 {
		return nil, nil
	}
	m, err := decodePicture(given, maxSide, maxPixels, formatPNG, formatJPEG, formatWebP)
	if err != nil {
		return nil, err
	}
	return encodePicture(thumbnail(m))
}

// foreignPicture makes a picture of what another device sent, which is one
// already: what it is not is refused, and its bytes are not kept.
func foreignPicture(sent []byte) (Picture, error) {
	if len(sent) == 0 {
		return nil, nil
	}
	m, err := decodePicture(sent, pictureSide, pictureSide*pictureSide, formatPNG, formatJPEG)
	if err != nil {
		return nil, err
	}
	return encodePicture(thumbnail(m))
}

type format uint8

const (
	formatUnknown format = iota
	formatPNG
	formatJPEG
	formatWebP
)

// formatOf looks at the first bytes, as the decoders do: what a file is called, or
// what else it could be taken for, does not matter.
func formatOf(b []byte) format {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return formatPNG
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return formatJPEG
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return formatWebP
	}
	return formatUnknown
}

// decodePicture decodes a picture in one of the formats. It looks at the size that
// the header tells before it decodes anything.
func decodePicture(b []byte, side, pixels int, formats ...format) (image.Image, error) {
	if len(b) > MaxPictureSize {
		return nil, &contact.LimitError{Field: "avatar", Got: len(b), Limit: MaxPictureSize, Unit: "bytes"}
	}
	f := formatOf(b)
	known := false
	for _, may := range formats {
		known = known || f != formatUnknown && f == may
	}
	if !known {
		return nil, &contact.InvalidError{Field: "avatar", Reason: "not a picture that is known: use a PNG, JPEG or WebP file"}
	}
	if f == formatWebP && animated(b) {
		return nil, &contact.InvalidError{Field: "avatar", Reason: "an animation: use a picture that stands still"}
	}
	size, err := configOf(f, b)
	if err != nil {
		return nil, unreadable(err)
	}
	switch longest := max(size.Width, size.Height); {
	case longest > side:
		return nil, &contact.LimitError{Field: "avatar", Got: longest, Limit: side, Unit: "pixels a side"}
	case size.Width < 1 || size.Height < 1:
		return nil, &contact.InvalidError{Field: "avatar", Reason: "a picture without pixels"}
	case size.Width*size.Height > pixels:
		return nil, &contact.LimitError{Field: "avatar", Got: size.Width * size.Height, Limit: pixels, Unit: "pixels"}
	}
	// Each scan of a JPEG goes over the whole picture, however few bytes it has.
	if n := bytes.Count(b, []byte("\xff\xda")); f == formatJPEG && n > maxScans {
		return nil, &contact.LimitError{Field: "avatar", Got: n, Limit: maxScans, Unit: "scans"}
	}
	m, err := decodeAs(f, b)
	if err != nil {
		return nil, unreadable(err)
	}
	// A decoder that returns another size than it announced would make the limits void.
	if b := m.Bounds(); b.Dx() != size.Width || b.Dy() != size.Height {
		return nil, unreadable(fmt.Errorf("%d×%d pixels where %d×%d were announced", b.Dx(), b.Dy(), size.Width, size.Height))
	}
	return m, nil
}

// animated reports whether a WebP says so in its header: "VP8X", four bytes of
// length, then flags.
func animated(b []byte) bool {
	const flags, animation = 20, 1 << 1
	return len(b) > flags && string(b[12:16]) == "VP8X" && b[flags]&animation != 0
}

func unreadable(err error) error {
	return &contact.InvalidError{Field: "avatar", Reason: fmt.Sprintf("can't be read as a picture (%v)", err)}
}

func configOf(f format, b []byte) (image.Config, error) {
	switch r := bytes.NewReader(b); f {
	case formatPNG:
		return png.DecodeConfig(r)
	case formatJPEG:
		return jpeg.DecodeConfig(r)
	default:
		return webp.DecodeConfig(r)
	}
}

func decodeAs(f format, b []byte) (image.Image, error) {
	switch r := bytes.NewReader(b); f {
	case formatPNG:
		return png.Decode(r)
	case formatJPEG:
		return jpeg.Decode(r)
	default:
		return webp.Decode(r)
	}
}

// thumbnail returns the middle square of m, at most pictureSide a side.
func thumbnail(m image.Image) *image.NRGBA {
	b := m.Bounds()
	side := min(b.Dx(), b.Dy())
	corner := b.Min.Add(image.Pt((b.Dx()-side)/2, (b.Dy()-side)/2))
	square := image.Rectangle{corner, corner.Add(image.Pt(side, side))}
	to := min(side, pictureSide)
	out := image.NewNRGBA(image.Rect(0, 0, to, to))
	if side == to {
		draw.Draw(out, out.Bounds(), m, corner, draw.Src)
	} else {
		draw.CatmullRom.Scale(out, out.Bounds(), m, square, draw.Src, nil)
	}
	return out
}

// encodePicture writes a PNG if the picture is not opaque or that is shorter, as
// with drawings, else a JPEG. Noise that is not opaque and too much for a PNG comes
// to lie on white.
func encodePicture(m *image.NRGBA) (Picture, error) {
	var p bytes.Buffer
	best := png.Encoder{CompressionLevel: png.BestCompression}
	if err := best.Encode(&p, m); err != nil {
		return nil, fmt.Errorf("encode the avatar: %w", err)
	}
	if !m.Opaque() && p.Len() <= MaxPictureSize {
		return p.Bytes(), nil
	}
	for _, quality := range []int{88, 75, 50} {
		var j bytes.Buffer
		if err := jpeg.Encode(&j, onWhite(m), &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("encode the avatar: %w", err)
		}
		if m.Opaque() && p.Len() <= min(j.Len(), MaxPictureSize) {
			return p.Bytes(), nil
		}
		if j.Len() <= MaxPictureSize {
			return j.Bytes(), nil
		}
	}
	return nil, fmt.Errorf("encode the avatar: more than %d bytes at any quality", MaxPictureSize)
}

func onWhite(m image.Image) image.Image {
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Over)
	return out
}
