package file

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"contactsd/internal/codec"
	"contactsd/transport"
)

func testID(n byte) ID { return ID{0x01, 0x90, 0, 0, 0, n, 0x70, 0, 0x80, 15: n} }

func goldenRequests() map[string]request {
	id, root := testID(9), hash{31: 7}
	return map[string]request{
		"open":   {Type: requestOpen, ID: &id, Root: &root},
		"index":  {Type: requestPages, Count: 1},
		"hashes": {Type: requestPages, Kind: pageHash, From: 16, Count: 2},
		"chunks": {Type: requestChunks, From: 3, Count: 1021},
		"tell":   {Type: requestTell, ID: &id, State: Failed, Words: "full"},
	}
}

func TestRequestsAreTheseBytes(t *testing.T) {
	const id = "50" + "01900000000970008000000000000009"
	for name, want := range map[string]string{
		"open":   "a3" + "0101" + "02" + id + "035820" + "00000000000000000000000000000000000000000000000000000000000000" + "07",
		"index":  "a2" + "0102" + "0601",
		"hashes": "a4" + "0102" + "0402" + "0510" + "0602",
		"chunks": "a3" + "0103" + "0503" + "061903fd",
		"tell":   "a4" + "0104" + "02" + id + "0706" + "086466756c6c",
	} {
		r := goldenRequests()[name]
		b, err := codec.Marshal(r)
		if err != nil || hex.EncodeToString(b) != want {
			t.Errorf("%s: %v\n got %x\nwant %s", name, err, b, want)
		}
		var buf bytes.Buffer
		if err := writeRequest(&buf, r); err != nil {
			t.Fatal(err)
		}
		if _, err := readRequest(transport.NewFrameReader(&buf, maxRequest)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBlocksAreTheseBytes(t *testing.T) {
	var buf bytes.Buffer
	if err := errors.Join(writeBlock(&buf, blockOK, nil), writeBlock(&buf, blockData, []byte("hi")), writeRefusal(&buf, &refusal{whyPaused, "no"})); err != nil {
		t.Fatal(err)
	}
	const want = "0100000000" + "02000000026869" + "0300000007" + "a2" + "0102" + "02626e6f"
	if got := hex.EncodeToString(buf.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r := bufio.NewReader(&buf)
	if _, err := readHeader(r, blockOK, 0, 0); err != nil {
		t.Error(err)
	}
	if data, err := readPage(r, 2); err != nil || string(data) != "hi" {
		t.Errorf("%q, %v", data, err)
	}
	_, err := readHeader(r, blockOK, 0, 0)
	if said, ok := errors.AsType[*refusal](err); !ok || *said != (refusal{whyPaused, "no"}) {
		t.Errorf("%v", err)
	}
}

func TestRequestsThatAreNotTaken(t *testing.T) {
	id := testID(1)
	for name, r := range map[string]request{
		"unknown":             {Type: 9},
		"open nothing":        {Type: requestOpen},
		"no pages":            {Type: requestPages},
		"times":               {Type: requestPages, Kind: pageTimes, Count: 1},
		"from 2^63":           {Type: requestChunks, From: 1 << 63, Count: 1},
		"10 million chunks":   {Type: requestChunks, Count: 10_000_000},
		"tell of nothing":     {Type: requestTell},
		"an unknown state":    {Type: requestTell, ID: &id, State: 99},
		"words of many lines": {Type: requestTell, ID: &id, State: Failed, Words: "a\nb"},
	} {
		if err := r.check(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	for _, r := range goldenRequests() {
		var buf bytes.Buffer
		if err := writeRequest(&buf, r); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fr := transport.NewFrameReader(bytes.NewReader(data), maxRequest)
		for range 8 {
			r, err := readRequest(fr)
			if err != nil {
				return
			}
			if err := r.check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzReadBlock(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00"), 0)
	f.Add([]byte("\x02\x00\x00\x00\x02hi"), 2)
	f.Add([]byte("\x03\x00\x00\x00\x03\xa1\x01\x02"), 9)
	f.Fuzz(func(t *testing.T, data []byte, most int) {
		most = min(max(most, 0), maxBlock)
		page, err := readPage(bufio.NewReader(bytes.NewReader(data)), most)
		if err == nil && len(page) > most {
			t.Fatalf("%d bytes, at most %d", len(page), most)
		}
		if said, ok := errors.AsType[*refusal](err); ok && (said.Why < whyLater || said.Why > whyGone || len(said.Words) > maxWords) {
			t.Fatalf("%+v", said)
		}
		if err == io.EOF && len(data) > 0 {
			t.Fatal("cut short is an end")
		}
	})
}

func TestRecordIsTheseBytes(t *testing.T) {
	r := record{ID: testID(9), Direction: In, State: Active, Offer: goldenOffer(), At: 1_700_000_000_000, Folder: "/f", Owes: true}
	const want = "a8" + "01" + "50" + "01900000000970008000000000000009" +
		"025820" + "0000000000000000000000000000000000000000000000000000000000000000" +
		"0301" + "0403" + "05" +
		"a6" + "0165612e747874" + "0205" + "036a746578742f706c61696e" + "0401" +
		"065820" + "00000000000000000000000000000000000000000000000000000000000000" + "07" + "0701" +
		"061b0000018bcfe56800" + "09622f66" + "0df5"
	b, err := codec.Marshal(r)
	if err != nil || hex.EncodeToString(b) != want {
		t.Errorf("%v\n got %x\nwant %s", err, b, want)
	}
	var back record
	if err := codec.Unmarshal(b, &back); err != nil || back != r {
		t.Errorf("%+v, %v", back, err)
	}
}
