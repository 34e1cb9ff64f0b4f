package store

import "fmt"

// Common is what the functions of one commit have in common: a record that each
// of them reads and changes a little is read once and written once, however many
// they are.
type Common interface {
	// Flush writes what was changed. It is called before the commit, after the
	// last function, with a transaction of its own.
	Flush(*Tx) error
}

// Common returns what is shared under key in this commit, or in this View, and
// makes it if nobody did. Whoever may change what Flush will write calls Touch.
func (tx *Tx) Common(key any, make func() Common) Common {
	for _, c := range tx.shared.common {
		if c.key == key {
			return c.Common
		}
	}
	c := make()
	tx.shared.common = append(tx.shared.common, common{c, key})
	return c
}

// Touch says that the function may change what it has in common with others. If it
// fails, that is taken back: those before it run again.
func (tx *Tx) Touch() { tx.touched = true }

type common struct {
	Common
	key any
}

// flush writes what the functions have in common.
func (s *shared) flush(db *DB) (wrote, emitted bool, err error) {
	for _, c := range s.common {
		tx := &Tx{db: db, shared: s, writable: true}
		r := request{fn: c.Flush} // so that a panic is everybody's error, and nobody's panic
		r.run(tx)
		if err := r.err; err != nil {
			return false, false, fmt.Errorf("before the commit: %w", err)
		}
		wrote = wrote || tx.wrote
		emitted = emitted || tx.emitted
	}
	return wrote, emitted, nil
}
