package relation

import (
	"bytes"
	"path/filepath"
	"testing"

	"contactsd/contact"
	"contactsd/internal/codec"
	"contactsd/store"
)

// What a newer program wrote into a contact's row is there after a change here.
func TestDetailsOfANewerProgramAreKept(t *testing.T) {
	type newer struct {
		Devices []contact.ODID `cbor:"1,keyasint"`
		Source  Source         `cbor:"4,keyasint"`
		AddedAt int64          `cbor:"5,keyasint"`
		Later   []string       `cbor:"11,keyasint"`
		Last    map[string]int `cbor:"300,keyasint"`
	}
	was := newer{[]contact.ODID{{1}}, SourceODID, 5, []string{"a", "b"}, map[string]int{"x": 1}}
	data, err := codec.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	var d details
	if err := codec.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	if again, err := codec.Marshal(d); err != nil || !bytes.Equal(again, data) {
		t.Errorf("unchanged it is %x, %v; was %x", again, err, data)
	}
	d = d.clone()
	d.Remark, d.Fields = "r", map[string]contact.Value{"k": contact.NumberValue(1)}
	changed, err := codec.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		newer
		Remark string `cbor:"3,keyasint"`
	}
	if err := codec.UnmarshalCanonical(changed, &back); err != nil || back.Remark != "r" || len(back.Later) != 2 || back.Last["x"] != 1 {
		t.Errorf("changed it is %+v, %v", back, err)
	}
}

// A store of the version before keeps its contacts.
func TestDetailsOfVersion2AreRead(t *testing.T) {
	type before struct {
		Devices []contact.ODID `cbor:"1,keyasint"`
		Remark  string         `cbor:"3,keyasint,omitempty"`
		Source  Source         `cbor:"4,keyasint"`
		AddedAt int64          `cbor:"5,keyasint"`
	}
	path := filepath.Join(t.TempDir(), "store")
	old := store.NewTable[before]("relation/contacts", 2)
	db, err := store.Open(path, store.Options{NoSync: true}, old)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *store.Tx) error {
		return old.Put(tx, []byte("id"), before{[]contact.ODID{{1}}, "r", SourcePairing, 5})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(path, store.Options{NoSync: true}, Tables()...); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *store.Tx) error {
		d, found, err := contacts.Get(tx, []byte("id"))
		if !found || d.Remark != "r" || d.Source != SourcePairing || len(d.Groups) != 0 {
			t.Errorf("%+v, %v", d, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzDetails reads anything as a contact's row. What is read is written again as
// a row that reads as the same.
func FuzzDetails(f *testing.F) {
	d := details{
		Devices: []contact.ODID{{1}}, Name: "n", Source: SourceODID, Groups: []groupID{1},
		Fields: map[string]contact.Value{"a": contact.TextValue("x"), "b": contact.BytesValue([]byte{1}), "c": contact.NumberValue(9)},
	}
	data, err := codec.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add([]byte{0xa1, 0x18, 0x63, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		var d details
		if codec.Unmarshal(data, &d) != nil {
			return
		}
		once, err := codec.Marshal(d)
		if err != nil {
			return // a field without a value, say
		}
		var again details
		if err := codec.Unmarshal(once, &again); err != nil {
			t.Fatalf("%x is read, and %x is not: %v", data, once, err)
		}
		if same, err := equal(d, again); !same || err != nil {
			t.Errorf("%x became %x: %v", data, once, err)
		}
	})
}
