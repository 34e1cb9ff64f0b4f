//go:build mutant_nofsync

package store

// neverSync leaves out every fsync, so that a power cut loses what was
// acknowledged. It is there to show that the tests of power cuts see that.
const neverSync = true
