package node

import (
	"slices"

	"contactsd/store"
)

// ListenOn returns where to listen for what is asked: the addresses bound the
// last time when the same was asked for, since an address once given out or
// learnt should stay good; else what is asked.
func ListenOn(db *store.DB, asked []string) ([]string, error) {
	s, err := loadSettings(db)
	if err != nil {
		return nil, err
	}
	if slices.Equal(s.Listen.Asked, asked) && len(s.Listen.Bound) > 0 {
		return s.Listen.Bound, nil
	}
	return asked, nil
}

// Listening remembers what was bound for what was asked.
func Listening(db *store.DB, asked, bound []string) error {
	s, err := loadSettings(db)
	if err != nil || slices.Equal(s.Listen.Asked, asked) && slices.Equal(s.Listen.Bound, bound) {
		return err
	}
	return db.Update(func(tx *store.Tx) error {
		return changeSettings(tx, func(s *settings) { s.Listen = listening{asked, bound} })
	})
}
