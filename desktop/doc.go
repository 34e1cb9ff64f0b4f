// Package desktop is the tray: an icon that shows and sets presence, notifications
// that tell what came and take the answer to a request, and the report whether
// somebody is there. It speaks to the daemon through package client alone, and to
// the desktop through package bus.
//
// # What runs
//
// One loop (Tray.Run) owns what is shown. Beside it run the follower, which reads
// the daemon's events and makes notices of them, and what the user asked for, each a
// call of the daemon in its own goroutine. All of them end before Run returns.
//
//	daemon ──events──► follower ──notices, state──► loop ──► icon, menu, notifications
//	daemon ◄──calls─── acts     ◄──clicks, answers──  │
//	daemon ◄──activity─ watchUser ◄── when the user did something last (bus.Seat)
//
// The follower goes on after a restart of the daemon with the last cursor it saw, so
// what happened in between is told, and what was told is not told again.
//
// # Notices
//
// A notice is about one thing (its key): a request, the messages of one contact, a
// file. A later one of the same key takes the place of the one before, on the screen as
// well, and goes when what it is about is done elsewhere. At most 10 are shown in a
// minute; if more than 4 wait they become one that counts them (board.go).
//
// What other people wrote stands in the body of a notice only, in one line, without
// control characters and turned reading direction, and as no markup (notice.go). The
// text of a message is never shown.
//
// An answer names the request by the id that was shown. A request that was changed
// meanwhile has another id, so nothing is granted that was not read.
package desktop
