package web

import (
	"net/http"
)

// routes says who answers what. Reads are GET, acts are POST.
func (s *Server) routes() http.Handler {
	inside := http.NewServeMux()
	inside.HandleFunc("GET /{$}", s.home)
	inside.HandleFunc("GET /live", s.live)
	inside.HandleFunc("GET /me", s.me)
	inside.HandleFunc("POST /presence", s.setPresence)
	inside.HandleFunc("POST /activity", s.activity)

	inside.HandleFunc("GET /profile", s.profile)
	inside.HandleFunc("POST /profile", s.setProfile)
	inside.HandleFunc("POST /profile/picture", s.setPicture)
	inside.HandleFunc("POST /profile/picture/remove", s.removePicture)
	inside.HandleFunc("GET /picture", s.picture)
	inside.HandleFunc("GET /picture/{odid}", s.picture)
	inside.HandleFunc("GET /look", s.look)
	inside.HandleFunc("GET /c/{odid}/profile", s.contactProfile)

	inside.HandleFunc("GET /list", s.list)
	inside.HandleFunc("GET /only", s.only)
	inside.HandleFunc("GET /pair", s.pair)
	inside.HandleFunc("GET /code", s.code)
	inside.HandleFunc("GET /code/open", s.openCode)
	inside.HandleFunc("GET /code/hide", s.hideCode)
	inside.HandleFunc("POST /pair", s.enterCode)
	inside.HandleFunc("POST /only", s.serveOnly)
	inside.HandleFunc("POST /add", s.addContact)

	inside.HandleFunc("GET /c/{odid}", s.chat)
	inside.HandleFunc("GET /c/{odid}/head", s.head)
	inside.HandleFunc("GET /c/{odid}/log", s.chatLog)
	inside.HandleFunc("GET /c/{odid}/older", s.olderMessages)
	inside.HandleFunc("POST /c/{odid}/send", s.send)
	inside.HandleFunc("POST /c/{odid}/cancel", s.cancelMessage)
	inside.HandleFunc("GET /c/{odid}/about", s.about)
	inside.HandleFunc("GET /c/{odid}/state", s.state)
	inside.HandleFunc("POST /c/{odid}/remark", s.setRemark)
	inside.HandleFunc("POST /c/{odid}/narrow", s.narrow)
	inside.HandleFunc("POST /c/{odid}/block", s.block)
	inside.HandleFunc("POST /c/{odid}/remove", s.remove)

	inside.HandleFunc("GET /c/{odid}/check", s.check)
	inside.HandleFunc("POST /c/{odid}/groups", s.setGroups)
	inside.HandleFunc("POST /c/{odid}/field", s.setField)

	inside.HandleFunc("GET /requests", s.requests)
	inside.HandleFunc("GET /badge", s.badge)
	inside.HandleFunc("POST /requests", s.answer)
	inside.HandleFunc("POST /requests/cancel", s.cancelRequest)
	inside.HandleFunc("POST /c/{odid}/ask", s.ask)

	inside.HandleFunc("GET /files", s.transfers)
	inside.HandleFunc("GET /file/{id}", s.transfer)
	inside.HandleFunc("POST /file/{id}/{act}", s.actOnTransfer)
	inside.HandleFunc("POST /c/{odid}/file", s.sendFile)
	inside.HandleFunc("POST /c/{odid}/upload", s.upload)
	inside.HandleFunc("GET /uploads", s.showUploads)
	inside.HandleFunc("POST /uploads/{id}/end", s.endUpload)

	inside.HandleFunc("GET /groups", s.groups)
	inside.HandleFunc("POST /groups", s.createGroup)
	inside.HandleFunc("POST /groups/rename", s.renameGroup)
	inside.HandleFunc("POST /groups/delete", s.deleteGroup)

	inside.HandleFunc("GET /blocked", s.blocked)
	inside.HandleFunc("POST /unblock", s.unblock)

	inside.HandleFunc("GET /settings", s.settings)
	inside.HandleFunc("POST /settings/set", s.setSetting)
	inside.HandleFunc("POST /logout", s.leave)
	inside.HandleFunc("GET /", s.nowhere)

	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loginPath, func(w http.ResponseWriter, _ *http.Request) { s.plain(w, http.StatusOK, "login") })
	mux.HandleFunc("POST "+loginPath, s.enter)
	mux.Handle("GET /static/", files())
	mux.Handle("/", s.signedIn(inside))
	return mux
}
