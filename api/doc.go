// Package api is the local API of contactsd: the schema in contacts/v1, the code
// generated from it, and the one JSON that the daemon and its clients write.
// Package server answers it, package client of this module calls it.
//
// The generated code is committed. After a change of a .proto file:
//
//	go generate ./api
//	(cd api && go tool -modfile=../tools/go.mod buf lint)
//
// buf and staticcheck are pinned in tools/go.mod, apart from the module's own
// dependencies; the two generators are run from the module itself, so that they
// fit the runtime that is linked.
package api

//go:generate go tool -modfile=../tools/go.mod buf generate
