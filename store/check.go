package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"contactsd/contact"
)

// Report is what Check found in a store.
type Report struct {
	Bytes  int64   `json:"bytes"`
	Tables []State `json:"tables"`
	Damage Damages `json:"damage"` // empty if the store is whole
}

// State is how it stands with a table, or with the journal.
type State struct {
	Name    string `json:"name"`
	Version uint32 `json:"version"` // of its records; 0 for one that this program does not know
	Rows    int    `json:"rows"`    // that can be read
	Damaged int    `json:"damaged"` // rows that can't be decoded, and pages that can't be read
}

// Damage is one thing that is not as it should be.
type Damage struct {
	Table string `json:"table,omitempty"` // empty: the file itself
	Key   string `json:"key,omitempty"`   // its beginning, in hexadecimal digits
	What  string `json:"what"`
}

func (d Damage) String() string {
	var s strings.Builder
	if d.Table != "" {
		fmt.Fprintf(&s, "table %q, ", d.Table)
	}
	if d.Key != "" {
		fmt.Fprintf(&s, "key %s, ", d.Key)
	}
	return s.String() + d.What
}

// maxDamages bounds the list of a file that is damaged everywhere.
const maxDamages = 100

// Damages is a list of damages, of which the first 100 are kept.
type Damages []Damage

// Add adds one for a row; key may be nil.
func (d *Damages) Add(table string, key []byte, format string, args ...any) {
	if len(*d) >= maxDamages {
		return
	}
	damage := Damage{Table: table, What: fmt.Sprintf(format, args...)}
	if key != nil {
		damage.Key = shown(key)
	}
	*d = append(*d, damage)
}

// Check reads every page and record of the store at path, which nobody has open
// to write, and changes nothing. Damaged pages hide those below them; all others
// are read and counted. The error is one of reading at all: it wraps
// fs.ErrNotExist, ErrLocked, ErrCorrupt where not even a beginning is left, or
// ErrNewer where a newer program left a log.
func Check(path string, defs ...Definition) (Report, error) {
	r, err := check(path, defs)
	if err != nil {
		return Report{}, fmt.Errorf("check store %s: %w", path, err)
	}
	return r, nil
}

func check(path string, defs []Definition) (Report, error) {
	specs, err := collect(defs)
	if err != nil {
		return Report{}, err
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		err = damaged("empty")
	}
	if err != nil {
		return Report{}, err
	}
	c := &checker{specs: make(map[string]spec), versions: make(map[string]uint32)}
	for _, s := range specs {
		c.specs[s.bucket] = s
	}
	err = c.open(path)
	slices.SortFunc(c.report.Tables, func(a, b State) int { return cmp.Compare(a.Name, b.Name) })
	return c.report, err
}

type checker struct {
	*inspector
	specs    map[string]spec   // by bucket
	versions map[string]uint32 // by bucket, as the file says
	report   Report
}

// found is a bucket of the file.
type found struct {
	name  string
	value []byte
}

// open checks the file of a store, or what its log makes of it.
func (c *checker) open(path string) error {
	file, held, whole := openToRead(path)
	if file == nil {
		return openError(whole)
	}
	defer held.Close()
	defer file.Close()
	if whole != nil && !errors.Is(whole, ErrCorrupt) {
		return whole
	}
	if err := c.file(file); err != nil {
		return err
	}
	if whole != nil && len(c.report.Damage) == 0 {
		c.report.Damage.Add("", nil, "%s", undress(whole))
	}
	return nil
}

func (c *checker) file(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c.report.Bytes = info.Size()
	newest, err := newestMeta(file)
	if err != nil {
		return err
	}
	if err := newest.counted(file); err != nil {
		c.report.Damage.Add("", nil, "%s", undress(err))
	}
	newest.pages = min(newest.pages, uint64(info.Size())/newest.pageSize)
	c.inspector = newInspector(file, newest)

	var buckets []found
	bad := c.walk(newest.root, "", func(nested bool, key, value []byte) {
		if !nested {
			c.report.Damage.Add("", key, "a row outside of all tables")
			return
		}
		buckets = append(buckets, found{string(key), slices.Clone(value)})
	})
	if bad > 0 && len(buckets) == 0 {
		return damaged("the list of its tables is lost")
	}
	for _, b := range buckets {
		if b.name == metaBucket {
			c.meta(b.value)
		}
	}
	for _, b := range buckets {
		if b.name != metaBucket {
			c.bucket(b)
		}
	}
	c.versions[journalBucket] = formatVersion
	for name := range c.versions {
		if !slices.ContainsFunc(buckets, func(b found) bool { return b.name == name }) {
			c.report.Damage.Add(strings.TrimPrefix(name, tablePrefix), nil, "the table is missing")
		}
	}
	if len(c.report.Damage) > 0 {
		return nil
	}
	if err := c.freelist(newest.freelist); err != nil {
		c.report.Damage.Add("", nil, "%v", undress(err))
		return nil
	}
	// What bbolt itself finds, the order of keys for one, could lead it astray on
	// pages worse than these.
	return c.bolt(file)
}

// bolt has bbolt itself check the file.
func (c *checker) bolt(file *os.File) error {
	own, err := duplicate(file)
	if err != nil {
		return err
	}
	var db DB
	if err := db.openBolt(own, Options{ReadOnly: true}); err != nil {
		return err
	}
	err = contain(func() error {
		return db.bolt.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				c.report.Damage.Add("", nil, "%v", err)
			}
			return nil
		})
	})
	if errors.Is(err, ErrCorrupt) {
		return errors.Join(err, own.Close()) // bbolt's locks are lost
	}
	return errors.Join(err, db.bolt.Close())
}

// undress takes the hint off an error of a page: a report has one of its own.
func undress(err error) string {
	text := strings.TrimSuffix(err.Error(), "; "+hintRestore)
	return strings.TrimPrefix(text, ErrCorrupt.Error()+": ")
}

// walk calls f with each element below a page, in no order, and returns how many
// pages it could not read.
func (c *checker) walk(root uint64, table string, f func(nested bool, key, value []byte)) (bad int) {
	c.next = append(c.next[:0], root)
	for len(c.next) > 0 {
		id := c.next[len(c.next)-1]
		c.next = c.next[:len(c.next)-1]
		if err := c.visit(id, f); err != nil {
			bad++
			c.report.Damage.Add(table, nil, "page %d: %s", id, undress(err))
		}
	}
	return bad
}

func (c *checker) visit(id uint64, f func(nested bool, key, value []byte)) error {
	p, err := c.readPage(id)
	if err != nil {
		return err
	}
	p = bytes.Clone(p) // f may read others
	switch flags := binary.NativeEndian.Uint16(p[8:]); flags {
	case branchPage:
		return c.branch(p)
	case leafPage:
		return elements(p, func(nested bool, key, value []byte) error {
			f(nested, key, value)
			return nil
		})
	default:
		return fmt.Errorf("type %#x", flags)
	}
}

// each calls f with every row of a bucket and returns how many pages were bad.
func (c *checker) each(b []byte, table string, f func(key, value []byte)) (bad int) {
	row := func(nested bool, key, value []byte) {
		if nested {
			c.report.Damage.Add(table, key, "a table within the table")
			return
		}
		f(key, value)
	}
	root, inline, err := openBucket(b)
	if err == nil && inline == nil {
		return c.walk(root, table, row)
	}
	if err == nil {
		err = elements(inline, func(nested bool, key, value []byte) error {
			row(nested, key, value)
			return nil
		})
	}
	if err != nil {
		c.report.Damage.Add(table, nil, "%v", err)
		return 1
	}
	return 0
}

func (c *checker) meta(b []byte) {
	format := uint32(0)
	c.each(b, "", func(key, value []byte) {
		switch {
		case string(key) == markKey:
			if decodeMark(value) == (mark{}) {
				c.report.Damage.Add("", nil, "its checkpoint")
			}
		case len(value) != 4 || binary.BigEndian.Uint32(value) == 0:
			c.report.Damage.Add("", nil, "version of %q", key)
		case string(key) == formatKey:
			format = binary.BigEndian.Uint32(value)
		default:
			c.versions[string(key)] = binary.BigEndian.Uint32(value)
		}
	})
	if format != formatVersion && format != formatLogged {
		c.report.Damage.Add("", nil, "format %d, known here is %d", format, formatVersion)
	}
}

// bucket reads a table or the journal. A table that this program does not know,
// or in a version that it does not, is only counted.
func (c *checker) bucket(b found) {
	if b.name == journalBucket {
		c.journal(b.value)
		return
	}
	s := State{Name: strings.TrimPrefix(b.name, tablePrefix), Version: c.versions[b.name]}
	spec, known := c.specs[b.name]
	switch {
	case !known:
		s.Version = 0
	case s.Version == 0:
		c.report.Damage.Add(s.Name, nil, "its version is lost")
	}
	readable := known && s.Version == spec.version
	bad := c.each(b.value, s.Name, func(key, value []byte) {
		if readable {
			if err := spec.decode(value); err != nil {
				s.Damaged++
				c.report.Damage.Add(s.Name, key, "%s", undress(err))
				return
			}
		}
		s.Rows++
	})
	s.Damaged += bad
	c.report.Tables = append(c.report.Tables, s)
}

func (c *checker) journal(b []byte) {
	s := State{Name: journalBucket, Version: formatVersion}
	oldest, newest, keys := ^uint64(0), uint64(0), uint64(0)
	bad := c.each(b, s.Name, func(key, value []byte) {
		err := errors.New("its cursor")
		if len(key) == 8 {
			n := binary.BigEndian.Uint64(key)
			oldest, newest, keys = min(oldest, n), max(newest, n), keys+1
			_, err = decode[contact.Event](value)
		}
		if err != nil {
			s.Damaged++
			c.report.Damage.Add(s.Name, key, "%s", undress(err))
			return
		}
		s.Rows++
	})
	s.Damaged += bad
	if bad == 0 && keys > 0 && newest-oldest+1 != keys {
		c.report.Damage.Add(s.Name, nil, "%d events from %d to %d", keys, oldest, newest)
	}
	c.report.Tables = append(c.report.Tables, s)
}
