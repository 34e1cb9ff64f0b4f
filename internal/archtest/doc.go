// Package archtest holds the tests of the house: which package may import which,
// and what no file may contain. It has no code of its own.
package archtest
