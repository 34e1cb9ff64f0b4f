package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"contactsd/internal/codec"
)

type nameV1 struct {
	Name string `cbor:"1,keyasint"`
}

type nameV3 struct {
	First string `cbor:"1,keyasint"`
	Last  string `cbor:"2,keyasint"`
}

// namesV1 to V3: version 2 dropped empty names, version 3 split them and put
// "n/" before the keys.
var (
	namesV1    = NewTable[nameV1]("name", 1)
	namesV2    = NewTable[nameV1]("name", 2, dropEmpty)
	namesV3    = NewTable[nameV3]("name", 3, dropEmpty, split)
	onlyNewest = NewTable[nameV3]("name", 3, split)
)

func dropEmpty(key, value []byte) ([]byte, []byte, error) {
	var v nameV1
	if err := codec.Unmarshal(value, &v); err != nil || v.Name == "" {
		return nil, nil, err
	}
	return key, value, nil
}

func split(key, value []byte) ([]byte, []byte, error) {
	var v nameV1
	if err := codec.Unmarshal(value, &v); err != nil {
		return nil, nil, err
	}
	first, last, ok := bytes.Cut([]byte(v.Name), []byte(" "))
	if !ok {
		return nil, nil, errOwn
	}
	value, err := codec.Marshal(nameV3{string(first), string(last)})
	return append([]byte("n/"), key...), value, err
}

func storeOfV1(t *testing.T, names map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{}, notes, namesV1)
	err := db.Update(func(tx *Tx) error {
		for k, name := range names {
			if err := namesV1.Put(tx, []byte(k), nameV1{name}); err != nil {
				return err
			}
		}
		return errors.Join(notes.Put(tx, []byte("kept"), note{Text: "kept"}), tx.Emit(event(1)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMigratesFromEachOlderVersion(t *testing.T) {
	check := func(t *testing.T, path string) {
		db := openTest(t, path, Options{}, notes, namesV3)
		got := make(map[string]nameV3)
		err := db.View(func(tx *Tx) error {
			for row, err := range namesV3.Scan(tx, Range{}) {
				if err != nil {
					return err
				}
				got[string(row.Key)] = row.Value
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got["n/a"] != (nameV3{"Ada", "Lovelace"}) {
			t.Fatalf("got %v", got)
		}
		if texts(t, db)["kept"] != "kept" {
			t.Fatal("another table changed")
		}
		wantEvents(t, db, 0, 10, 1, 1)
	}
	old := map[string]string{"a": "Ada Lovelace", "b": ""}
	t.Run("1", func(t *testing.T) { check(t, storeOfV1(t, old)) })
	t.Run("1, 2", func(t *testing.T) {
		path := storeOfV1(t, old)
		if err := openTest(t, path, Options{}, notes, namesV2).Close(); err != nil {
			t.Fatal(err)
		}
		check(t, path)
	})
}

func TestFailedMigrationLeavesTheOldStore(t *testing.T) {
	path := storeOfV1(t, map[string]string{"a": "Ada Lovelace", "b": "", "c": "Mononym"})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = Open(path, Options{}, notes, lists, namesV3)
		wantError(t, err, errOwn)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Fatal("the file was changed")
	}
	openTest(t, path, Options{}, notes, namesV1)
}

func TestMigrationMayNotMergeRowsOrMakeBadOnes(t *testing.T) {
	for name, step := range map[string]Migration{
		"same key":    func(k, v []byte) ([]byte, []byte, error) { return []byte("same"), v, nil },
		"empty key":   func(k, v []byte) ([]byte, []byte, error) { return []byte{}, v, nil },
		"long key":    func(k, v []byte) ([]byte, []byte, error) { return make([]byte, MaxKeySize+1), v, nil },
		"long record": func(k, v []byte) ([]byte, []byte, error) { return k, make([]byte, MaxRecordSize+1), nil },
	} {
		path := storeOfV1(t, map[string]string{"a": "A B", "b": "C D"})
		if db, err := Open(path, Options{}, NewTable[nameV1]("name", 2, step)); err == nil {
			db.Close()
			t.Errorf("%s: no error", name)
		}
		openTest(t, path, Options{}, namesV1)
	}
}

func TestPanicOfAMigrationLetsGoOfTheFile(t *testing.T) {
	path := storeOfV1(t, map[string]string{"a": "A B"})
	func() {
		defer func() {
			if recover() == nil {
				t.Fatal("no panic")
			}
		}()
		_, _ = Open(path, Options{}, NewTable[nameV1]("name", 2, func(k, v []byte) ([]byte, []byte, error) { panic(errOwn) }))
	}()
	openTest(t, path, Options{}, namesV1)
}

func TestNewerAndTooOldStoresAreRefusedUntouched(t *testing.T) {
	path := storeOfV1(t, map[string]string{"a": "Ada Lovelace"})
	_, err := Open(path, Options{}, onlyNewest)
	wantError(t, err, ErrOlder)
	if err := openTest(t, path, Options{}, namesV3).Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{}, namesV2)
	wantError(t, err, ErrNewer)
	_, err = Open(path, Options{}, lists, namesV1)
	wantError(t, err, ErrNewer)
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Fatal("the file was changed")
	}
	openTest(t, path, Options{}, onlyNewest)
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db := openTest(t, path, Options{})
	b, err := db.bolt.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(putVersion(b.Bucket([]byte(metaBucket)), formatKey, formatLogged+1), b.Commit(), db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	wantError(t, err, ErrNewer)
}

func TestReopeningWritesNothing(t *testing.T) {
	path := storeOfV1(t, nil)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := openTest(t, path, Options{}, notes, namesV1).Close(); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Fatal("the file was changed")
	}
}
