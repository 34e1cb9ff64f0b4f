package web

import (
	"context"
	"net/http"
	"strings"

	contactsv1 "contactsd/api/contacts/v1"
)

// filesView is the screen of all transfers, the newest first.
type filesView struct {
	Files []*contactsv1.File
	Older string // page token, empty if that is all
}

func (s *Server) transfers(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Files().ListFiles(r.Context(), &contactsv1.ListFilesRequest{PageToken: r.FormValue("before")})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	v := filesView{Older: got.NextPageToken}
	for i := len(got.Files) - 1; i >= 0; i-- {
		v.Files = append(v.Files, got.Files[i])
	}
	if fragment(r) && r.Header.Get("HX-Target") == "ul#files" {
		s.part(w, http.StatusOK, "file-rows", v)
		return
	}
	s.screen(w, r, http.StatusOK, "files", "Files", v)
}

// transferView is one transfer, or why there is none to show.
type transferView struct {
	File  *contactsv1.File
	Fault *fault
}

func (s *Server) transfer(w http.ResponseWriter, r *http.Request) {
	got, err := s.client.Files().GetFile(r.Context(), &contactsv1.GetFileRequest{Id: r.PathValue("id")})
	s.showTransfer(w, r, got.GetFile(), err)
}

func (s *Server) showTransfer(w http.ResponseWriter, r *http.Request, f *contactsv1.File, err error) {
	if fragment(r) || err != nil {
		s.part(w, status(err), "transfer", transferView{f, faultOf(err)})
		return
	}
	http.Redirect(w, r, "/files", http.StatusSeeOther)
}

// actOnTransfer does what the address says to one transfer.
func (s *Server) actOnTransfer(w http.ResponseWriter, r *http.Request) {
	f, err := s.changed(r.Context(), r.PathValue("id"), r.PathValue("act"))
	if f == nil && err == nil {
		s.nowhere(w, r)
		return
	}
	s.showTransfer(w, r, f, err)
}

// changed returns nothing for an act that there is not.
func (s *Server) changed(ctx context.Context, id, act string) (*contactsv1.File, error) {
	c := s.client.Files()
	switch act {
	case "accept":
		r, err := c.AcceptFile(ctx, &contactsv1.AcceptFileRequest{Id: id})
		return r.GetFile(), err
	case "reject":
		r, err := c.RejectFile(ctx, &contactsv1.RejectFileRequest{Id: id})
		return r.GetFile(), err
	case "pause":
		r, err := c.PauseFile(ctx, &contactsv1.PauseFileRequest{Id: id})
		return r.GetFile(), err
	case "resume":
		r, err := c.ResumeFile(ctx, &contactsv1.ResumeFileRequest{Id: id})
		return r.GetFile(), err
	case "cancel":
		r, err := c.CancelFile(ctx, &contactsv1.CancelFileRequest{Id: id})
		return r.GetFile(), err
	}
	return nil, nil
}

// attachView is where one names a file to send.
type attachView struct {
	ODID  string
	Path  string
	Fault *fault
	Sent  bool
}

// sendFile offers a file of this computer, which the daemon reads where it lies.
func (s *Server) sendFile(w http.ResponseWriter, r *http.Request) {
	v := attachView{ODID: r.PathValue("odid"), Path: strings.TrimSpace(r.PostFormValue("path"))}
	_, err := s.client.Files().SendFile(r.Context(), &contactsv1.SendFileRequest{Contact: v.ODID, Path: v.Path})
	v.Fault = faultOf(err)
	if err == nil {
		v.Path, v.Sent = "", true
	}
	if fragment(r) {
		s.part(w, status(err), "attach", v)
		return
	}
	http.Redirect(w, r, "/c/"+v.ODID, http.StatusSeeOther)
}

// fileWord says how a transfer stands.
func fileWord(f *contactsv1.File) string {
	in := f.Direction == "in"
	switch f.State {
	case "preparing":
		return "Getting ready"
	case "offered":
		if in {
			return "Offered to you"
		}
		return "Offered"
	case "active":
		if in {
			return "Receiving"
		}
		return "Sending"
	case "paused":
		return "Paused"
	case "done":
		if in {
			return "Received"
		}
		return "Sent"
	case "failed":
		return "Failed"
	case "rejected":
		return "Not wanted"
	case "cancelled":
		return "Cancelled"
	case "expired":
		return "Not accepted in time"
	}
	return f.State
}

// fileActs are what the user can do with a transfer, the main one first.
func fileActs(f *contactsv1.File) []string {
	switch f.State {
	case "offered":
		if f.Direction == "in" {
			return []string{"accept", "reject"}
		}
		return []string{"cancel"}
	case "preparing":
		return []string{"cancel"}
	case "active":
		return []string{"pause", "cancel"}
	case "paused":
		return []string{"resume", "cancel"}
	case "failed":
		if f.Direction == "in" {
			return []string{"accept"}
		}
	}
	return nil
}

// actWord is what a button says.
func actWord(act string) string {
	switch act {
	case "accept":
		return "Accept"
	case "reject":
		return "Reject"
	case "pause":
		return "Pause"
	case "resume":
		return "Go on"
	}
	return "Cancel"
}
