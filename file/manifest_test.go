package file

import (
	"bytes"
	"encoding/hex"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"contactsd/internal/codec"
)

func TestPathsThatAreNotCreated(t *testing.T) {
	for _, p := range []string{
		"", ".", "..", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "a//b", "a/", "./a", `a\b`, `..\x`,
		"a\x00b", "a\nb", "a/\x1b[2J", "\xff", strings.Repeat("x", 256), strings.Repeat("a/", 64) + "a",
		strings.Repeat(strings.Repeat("x", 200)+"/", 25) + "x",
	} {
		if err := checkPath(p); err == nil {
			t.Errorf("%.40q is taken", p)
		}
	}
	for _, p := range []string{"a", "a/b", "aux.c", "x..y", "...", "größe", strings.Repeat("a/", 63) + "a"} {
		if err := checkPath(p); err != nil {
			t.Errorf("%.40q: %v", p, err)
		}
	}
}

// comparePaths orders as a walk does, in which a folder comes right before what is in it.
func TestComparePathsIsTheOrderOfAWalk(t *testing.T) {
	want := []string{"a", "a/b", "a/b/c", "a/b.c", "a.b", "ab", "b"}
	rapid.Check(t, func(t *rapid.T) {
		got := rapid.Permutation(want).Draw(t, "order")
		slices.SortFunc(got, comparePaths)
		if !slices.Equal(got, want) {
			t.Fatalf("%q", got)
		}
	})
}

func TestParseList(t *testing.T) {
	encode := func(entries ...entry) []byte {
		data, err := codec.Marshal(list{entries})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, c := range map[string]struct {
		data []byte
		last string
		want error
	}{
		"two files":        {encode(entry{Path: "a", Size: 1}, entry{Path: "b"}), "", nil},
		"after a page":     {encode(entry{Path: "b"}), "a", nil},
		"empty":            {encode(), "", errProtocol},
		"twice":            {encode(entry{Path: "a"}, entry{Path: "a"}), "", errProtocol},
		"out of order":     {encode(entry{Path: "b"}, entry{Path: "a"}), "", errProtocol},
		"again":            {encode(entry{Path: "a"}), "a", errProtocol},
		"out of it":        {encode(entry{Path: "../x"}), "", errUnsafe},
		"2^63 bytes":       {encode(entry{Path: "x", Size: 1 << 63}), "", errProtocol},
		"folder of bytes":  {encode(entry{Path: "x", Size: 1, Dir: true}), "", errProtocol},
		"no CBOR":          {[]byte("x"), "", errProtocol},
		"too many entries": {encode(slices.Repeat([]entry{{Path: "x"}}, maxListed+1)...), "", errProtocol},
	} {
		if _, err := parseList(c.data, c.last); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOffersThatAreNotTaken(t *testing.T) {
	good := offer{Name: "a", Size: 1, Files: 1, Lists: 1}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*offer){
		"no name":                 func(o *offer) { o.Name = "" },
		"name of 5,000 bytes":     func(o *offer) { o.Name = strings.Repeat("x", 5000) },
		"2^63 bytes":              func(o *offer) { o.Size = 1 << 63 },
		"10 million chunks":       func(o *offer) { o.Size = 10_000_000 * ChunkSize },
		"no file":                 func(o *offer) { o.Files = 0 },
		"two that are no folder":  func(o *offer) { o.Files = 2 },
		"too many files":          func(o *offer) { o.Dir, o.Files = true, MaxFiles+1 },
		"no page":                 func(o *offer) { o.Lists = 0 },
		"more pages than files":   func(o *offer) { o.Lists = 2 },
		"too many pages":          func(o *offer) { o.Dir, o.Files, o.Lists = true, MaxFiles, maxLists+1 },
		"media type of 128 bytes": func(o *offer) { o.Type = strings.Repeat("x", 128) },
	} {
		o := good
		change(&o)
		body, err := o.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseOffer(body); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v", name, err)
		}
		if OfferedName(body) != "" {
			t.Errorf("%s: it has a name", name)
		}
	}
}

func goldenOffer() offer {
	return offer{Name: "a.txt", Size: 5, Type: "text/plain", Files: 1, Root: hash{31: 7}, Lists: 1}
}

func TestOfferIsTheseBytes(t *testing.T) {
	const want = "a6" + "0165612e747874" + "0205" + "036a746578742f706c61696e" + "0401" +
		"065820" + "00000000000000000000000000000000000000000000000000000000000000" + "07" + "0701"
	body, err := goldenOffer().encode()
	if err != nil || hex.EncodeToString(body) != want {
		t.Errorf("%v\n got %x\nwant %s", err, body, want)
	}
	if o, err := parseOffer(body); err != nil || o != goldenOffer() {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestListIsTheseBytes(t *testing.T) {
	const want = "a101" + "82" + "a2" + "0161" + "61" + "0203" + "a2" + "01" + "6362" + "2f63" + "03f5"
	data, err := codec.Marshal(list{[]entry{{Path: "a", Size: 3, changed: 9}, {Path: "b/c", Dir: true}}})
	if err != nil || hex.EncodeToString(data) != want {
		t.Errorf("%v\n got %x\nwant %s", err, data, want)
	}
}

func FuzzParseOffer(f *testing.F) {
	body, err := goldenOffer().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseOffer(body)
		if err != nil {
			return
		}
		if o.Size > MaxSize || o.Files > MaxFiles || chunks(o.Size) > MaxSize/ChunkSize {
			t.Fatalf("%+v", o)
		}
		if err := checkComponent(safeName(o.Name)); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseList(f *testing.F) {
	data, err := codec.Marshal(list{[]entry{{Path: "a", Size: 3}, {Path: "b/c", Dir: true}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, "")
	f.Fuzz(func(t *testing.T, data []byte, last string) {
		l, err := parseList(data, last)
		if err != nil {
			return
		}
		for _, e := range l.Entries {
			if path.IsAbs(e.Path) || !isLocal(e.Path) || bytes.ContainsRune([]byte(e.Path), 0) {
				t.Fatalf("%q", e.Path)
			}
		}
	})
}

func isLocal(p string) bool { return p != ".." && !strings.HasPrefix(p, "../") && path.Clean(p) == p }
