package file

import (
	"fmt"
	"mime"
	"path/filepath"
	"strings"

	"contactsd/contact"
	"contactsd/internal/codec"
)

const (
	maxName = 255 // bytes
	maxType = 127 // bytes, RFC 6838, section 4.2
)

// offer is the body of the message that offers a transfer.
//
//	key  field  type
//	 1   name   text       of the file or folder, without any path
//	 2   size   uint       bytes of all files
//	 3   type   text       media type; may be left out
//	 4   files  uint       files and empty folders
//	 5   dir    bool       a folder
//	 6   root   bytes[32]  BLAKE3 of the manifest's index
//	 7   lists  uint       pages of files in the manifest
type offer struct {
	Name  string `cbor:"1,keyasint"`
	Size  uint64 `cbor:"2,keyasint"`
	Type  string `cbor:"3,keyasint,omitempty"`
	Files uint64 `cbor:"4,keyasint"`
	Dir   bool   `cbor:"5,keyasint,omitempty"`
	Root  hash   `cbor:"6,keyasint"`
	Lists uint64 `cbor:"7,keyasint"`
}

func (o offer) encode() ([]byte, error) { return codec.Marshal(o) }

// parseOffer decodes an offer and returns an error naming the limit that it breaks.
func parseOffer(body []byte) (offer, error) {
	var o offer
	if err := codec.Unmarshal(body, &o); err != nil {
		return o, fmt.Errorf("%w: offer: %w", errProtocol, err)
	}
	return o, o.check()
}

func (o offer) check() error {
	switch {
	case o.Name == "" || len(o.Name) > maxName:
		return fmt.Errorf("%w: %w", errProtocol, &contact.LimitError{Field: "file name", Got: len(o.Name), Limit: maxName, Unit: "bytes"})
	case o.Size > MaxSize:
		return fmt.Errorf("%w: %d bytes offered, at most %d", errProtocol, o.Size, uint64(MaxSize))
	case o.Files == 0 || o.Files > MaxFiles || !o.Dir && o.Files != 1:
		return fmt.Errorf("%w: %d files offered, 1 to %d are possible", errProtocol, o.Files, MaxFiles)
	case o.Lists == 0 || o.Lists > maxLists || o.Lists > o.Files:
		return fmt.Errorf("%w: %d pages of files offered, at most %d", errProtocol, o.Lists, maxLists)
	case len(o.Type) > maxType:
		return fmt.Errorf("%w: %w", errProtocol, &contact.LimitError{Field: "media type", Got: len(o.Type), Limit: maxType, Unit: "bytes"})
	}
	return nil
}

// OfferedName returns the name in an offer as it is safe to be shown and created,
// "" for a body that is no offer.
func OfferedName(body []byte) string {
	o, err := parseOffer(body)
	if err != nil {
		return ""
	}
	return safeName(o.Name)
}

// kind is the media type that a rule goes by: what the ending of the name says here,
// since that decides what opens the file. What the sender says is a word.
func (o offer) kind() string {
	if o.Dir {
		return ""
	}
	return mediaType(safeName(o.Name))
}

// mediaType guesses the type by the name, "" for a name that tells nothing.
func mediaType(name string) string {
	t := mime.TypeByExtension(filepath.Ext(name))
	if t, _, ok := strings.Cut(t, ";"); ok {
		return t
	}
	return t
}
