//go:build !mutant_nofsync

package store

// neverSync is set by a mutant that tests of power cuts must catch.
const neverSync = false
