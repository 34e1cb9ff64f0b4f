package pairing

import (
	"contactsd/store"
)

// Guesses returns how many wrong codes of 6 and of 9 digits count against the
// limits of the last 24 hours.
func (s *Service) Guesses() (short, long int, err error) {
	err = s.cfg.DB.View(func(tx *store.Tx) error {
		r, _, err := guesses.Get(tx, []byte(guessesKey))
		r.recent(tx.Now())
		short, long = len(r.Times), len(r.Long)
		return err
	})
	return short, long, err
}
