// Package web serves the Contacts page: what the command line does, for people who
// never open a terminal. HTML is made here, from the answers of the daemon's own
// API, through package client like any other program; the browser swaps pieces
// of it with htmx, and a stream of server-sent events says which.
//
// # Who gets the page
//
// It listens on 127.0.0.1 alone. What comes passes, in this order:
//
//	peer     the kernel says that the socket at the other end is of the same user, or
//	         of root (/proc/net/tcp): other users of the machine get nothing
//	host     the Host header is the page's own address: a name that an attacker's DNS
//	         points at 127.0.0.1 gets nothing (rebinding)
//	fetch    what a browser says was asked for by another site, or from inside a
//	         frame, is refused, reads as well as writes; an act needs the Origin too
//	session  a cookie that JavaScript can't read and that no other site's request
//	         carries (HttpOnly, SameSite=Strict), of 256 random bits, kept here as
//	         its hash and in memory alone
//
// A session begins with a login that is taken from the socket, is good once and
// for a minute, and stands behind the "#" of an address, so that it is in no
// request line, log or Referer. To have it in no argument of a program either, it
// can be written to a file that leads the browser there (file.go).
//
// Every answer forbids scripts and styles that are not files of this package,
// anything from elsewhere, and frames (Content-Security-Policy).
//
// # What is on the screen
//
// A page has a list of contacts beside one screen. A request of htmx gets the screen
// alone; live.go says which parts are stale, and each part fetches itself.
//
// # What a browser sends
//
// The file of an upload goes from the connection to the disk (upload.go, spool.go),
// bounded by what comes and not by what was announced, and is offered from there. What
// does not come whole is removed at once, and what was sent when its transfer is over
// (tidy.go); what a killed process left goes the same way, as no transfer has its ID.
//
// static/htmx.js and static/hx-sse.js are dist/htmx.min.js and
// dist/ext/hx-sse.min.js of htmx.org 4.0.1 (npm), unchanged; Zero-Clause BSD
// (static/LICENSE-htmx).
package web
