package file

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"lukechampine.com/blake3"

	"contactsd/contact"
	"contactsd/internal/codec"
)

// Limits of a manifest.
const (
	maxPage       = 64 << 10 // bytes of a page
	pageHashes    = 1024     // of a page of hashes
	maxLists      = 2048     // pages of lists
	maxListed     = 4096     // entries of a page
	maxPath       = 4096     // bytes of a path within a folder
	maxComponent  = 255      // bytes of one name
	maxDepth      = 64       // folders within each other
	listOverhead  = 32       // bytes of a page that no entry takes
	entryOverhead = 20       // bytes of an entry beside its path, at most
)

// hash is a BLAKE3 of 32 bytes.
type hash [32]byte

func hashOf(b []byte) hash { return blake3.Sum256(b) }

// UnmarshalCBOR accepts a byte string of exactly 32 bytes.
func (h *hash) UnmarshalCBOR(data []byte) error { return codec.Fixed(h[:], data) }

// pageKind says which row of pages a page is of.
type pageKind uint8

const (
	pageIndex pageKind = iota // the one page with the hashes of all others: lists, then hashes
	pageList                  // files
	pageHash                  // hashes of chunks
	pageTimes                 // when the files of a page were changed; it never travels
)

// entry is one file of a transfer, or an empty folder.
type entry struct {
	Path string `cbor:"1,keyasint"` // from the folder, with slashes
	Size uint64 `cbor:"2,keyasint,omitempty"`
	Dir  bool   `cbor:"3,keyasint,omitempty"`
	// changed is when the file was changed last, in Unix nanoseconds; known to the
	// sender alone.
	changed int64
}

// fileName is the path of what is sent if it is no folder; its name is in the offer.
const fileName = "file"

// list is one page of the files of a transfer, in the order of comparePaths.
type list struct {
	Entries []entry `cbor:"1,keyasint"`
}

func (e entry) cost() int { return len(e.Path) + entryOverhead }

// parseList decodes a page that follows the path last and returns an error
// unless all of it is fit to be created.
func parseList(data []byte, last string) (list, error) {
	var l list
	if err := codec.Unmarshal(data, &l); err != nil {
		return l, fmt.Errorf("%w: page of files: %w", errProtocol, err)
	}
	if len(l.Entries) == 0 || len(l.Entries) > maxListed {
		return l, fmt.Errorf("%w: page of %d files, 1 to %d are possible", errProtocol, len(l.Entries), maxListed)
	}
	for _, e := range l.Entries {
		if err := e.check(); err != nil {
			return l, err
		}
		if last != "" && comparePaths(last, e.Path) >= 0 {
			return l, fmt.Errorf("%w: files twice or out of order", errProtocol)
		}
		last = e.Path
	}
	return l, nil
}

func (e entry) check() error {
	if err := checkPath(e.Path); err != nil {
		return fmt.Errorf("%w: %w", errUnsafe, err)
	}
	if e.Size > MaxSize || e.Dir && e.Size != 0 {
		return fmt.Errorf("%w: file of %d bytes, at most %d", errProtocol, e.Size, uint64(MaxSize))
	}
	return nil
}

// checkPath returns an error unless p names something below a folder, in one way
// only, without characters that deceive a terminal.
func checkPath(p string) error {
	if len(p) > maxPath {
		return &contact.LimitError{Field: "path", Got: len(p), Limit: maxPath, Unit: "bytes"}
	}
	if p == "" || path.Clean(p) != p || !utf8.ValidString(p) {
		return &contact.InvalidError{Field: "path", Reason: "empty, or not in its plain form"}
	}
	parts := strings.Split(p, "/")
	if len(parts) > maxDepth {
		return &contact.LimitError{Field: "path", Got: len(parts), Limit: maxDepth, Unit: "folders"}
	}
	for _, part := range parts {
		if err := checkComponent(part); err != nil {
			return err
		}
	}
	return nil
}

func checkComponent(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return &contact.InvalidError{Field: "path", Reason: "it leads out of the folder"}
	case strings.ContainsAny(name, `/\`):
		return &contact.InvalidError{Field: "path", Reason: "a name with a slash or backslash"}
	}
	return contact.CheckText("name", name, maxComponent)
}

// comparePaths orders as a walk does that goes through each folder by name: the
// slash comes before all characters.
func comparePaths(a, b string) int {
	for {
		x, restA, moreA := strings.Cut(a, "/")
		y, restB, moreB := strings.Cut(b, "/")
		if c := strings.Compare(x, y); c != 0 || !moreA && !moreB {
			return c
		}
		if moreA != moreB {
			if moreA {
				return 1
			}
			return -1
		}
		a, b = restA, restB
	}
}

// index is the hashes of all pages of a manifest. Its own hash is in the offer,
// so that every page can be verified as it comes.
type index struct {
	lists, hashes []hash
}

func (x index) bytes() []byte {
	b := make([]byte, 0, (len(x.lists)+len(x.hashes))*len(hash{}))
	for _, row := range [][]hash{x.lists, x.hashes} {
		for _, h := range row {
			b = append(b, h[:]...)
		}
	}
	return b
}

// parseIndex takes apart the index of a transfer with so many pages of files and
// of hashes.
func parseIndex(data []byte, lists, hashes uint64) (x index, err error) {
	all, err := parseHashes(data)
	if err != nil {
		return x, err
	}
	if uint64(len(all)) != lists+hashes {
		return x, fmt.Errorf("%w: index of %d pages, %d are due", errProtocol, len(all), lists+hashes)
	}
	return index{all[:lists], all[lists:]}, nil
}

func parseHashes(data []byte) ([]hash, error) {
	const size = len(hash{})
	if len(data)%size != 0 {
		return nil, fmt.Errorf("%w: hashes cut short", errProtocol)
	}
	all := make([]hash, len(data)/size)
	for i := range all {
		all[i] = hash(data[i*size : (i+1)*size])
	}
	return all, nil
}

// hashPages is how many pages the hashes of so many bytes take.
func hashPages(size uint64) uint64 { return (chunks(size) + pageHashes - 1) / pageHashes }

var (
	// errUnsafe: a name that is not created here.
	errUnsafe = errors.New("unsafe name in it")
	// errProtocol is wrapped by errors about a peer that breaks the protocol.
	errProtocol = errors.New("protocol error")
)
