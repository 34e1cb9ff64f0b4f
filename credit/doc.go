// Package credit keeps the ledger of what this device did that costs credits. Its
// rules (prices, what a day gives, when a day ends) are those of package contact.
//
// A charge is made in the transaction of the act that it is for: both are on the
// disk or neither is. Whoever does the act calls Charge first; an error that wraps
// *contact.CreditError says that it has to wait.
//
// # On disk
//
// "credit/ledger", keyed by a number that rises by 1 (8 bytes, big-endian): the last
// 1000 charges (entry: when, what, towards whom, the cost, the day's total). Each
// names the SHA-256 of the one before.
//
// "credit/head", one row: the number and the SHA-256 of the newest charge. What is
// left of the day follows from that charge and the clock.
//
// Invariants: the numbers have no gap; an entry whose bytes were changed does not
// fit the hash that follows it. Then asks are refused until the store is restored,
// while what withdraws consent goes through and is not charged. The hashes find
// damage and careless edits; whoever may write the store can make new ones.
package credit
