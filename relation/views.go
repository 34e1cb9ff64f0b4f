package relation

import (
	"contactsd/contact"
	"contactsd/store"
)

// views are the relations that were asked for in a commit, since the functions of
// one commit often ask for the same: each message does for its contact.
type views map[contact.ODID]derived

type derived struct {
	view  contact.View
	known bool
}

type viewsKey struct{}

// viewsOf returns the views of a transaction. Whoever changes a row takes its view out.
func viewsOf(tx *store.Tx) views {
	return tx.Common(viewsKey{}, func() store.Common { return make(views) }).(views)
}

// Flush implements store.Common: there is nothing to write.
func (views) Flush(*store.Tx) error { return nil }
