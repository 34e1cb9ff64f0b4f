// Package contact is the middle of contactsd: the words it speaks and the rules
// it keeps. It has no I/O, no clock and no goroutine; whatever can be decided
// from values alone is decided here.
//
// A relation between two devices is two statements (Statement): what A says of
// B and what B says of A. Each device writes only its own, signs it, and shows
// the other its latest whenever they are in touch. There is no conversation that
// could get stuck: after any crash, partition or restore both sides hold the
// two latest statements again, and what a user sees is derived from them by one
// function, Derive. What another device may reach is decided by one function,
// Allow.
//
// A statement may ask for permissions. What becomes of an ask is decided by Admit,
// and what a device answers without its user by Reply.
//
// An ODID identifies a device, Permissions are what one device lets another do,
// Marks are what a device keeps for itself about a relation.
package contact
