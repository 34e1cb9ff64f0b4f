package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
)

// maxUpload bounds a request that brings a file, in bytes.
const maxUpload = maxCopy + maxForm

// How long the browser may send nothing, and the daemon may take to take an offer.
const (
	uploadIdle = time.Minute
	offerFor   = 10 * time.Second
)

// copyBuffer is how many bytes are written at once.
const copyBuffer = 256 << 10

// bodyLimit is how many bytes a request may bring.
func bodyLimit(r *http.Request) int64 {
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/c/") && strings.HasSuffix(r.URL.Path, "/upload") {
		return maxUpload
	}
	return maxForm
}

// upload takes a file of the browser's and offers it to a contact. Nothing of it stays
// if it does not come whole.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	to, ok := s.contact(w, r)
	if !ok {
		return
	}
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	body := &patient{ReadCloser: r.Body, ctx: ctx, conn: http.NewResponseController(w)}
	defer context.AfterFunc(ctx, body.end)()
	r.Body = body
	left, _ := strconv.Atoi(r.URL.Query().Get("left"))
	one := &uploading{
		ID: uuid.Must(uuid.NewV7()).String(), To: title(to), Size: max(0, r.ContentLength), Left: min(max(0, left), maxCopies), stop: stop,
	}
	why := &fault{Text: "No file came."}
	if file := filePart(r); file != nil {
		one.Name = copyName(file.FileName())
		why = s.receive(ctx, to, one, file)
	}
	if why != nil {
		w.Header().Set("Connection", "close")
		body.end()
		s.part(w, http.StatusUnprocessableEntity, "fault", why)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// filePart finds the file in a form, which is read as it comes. It is nil if there is
// none.
func filePart(r *http.Request) *multipart.Part {
	form, err := r.MultipartReader()
	if err != nil {
		return nil
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil
		}
		if part.FormName() == "file" && part.FileName() != "" {
			return part
		}
	}
}

// patient reads what a browser sends until that sends nothing for a while, or until
// ctx ends.
type patient struct {
	io.ReadCloser
	ctx  context.Context
	conn *http.ResponseController
}

func (p *patient) Read(b []byte) (int, error) {
	p.conn.SetReadDeadline(time.Now().Add(uploadIdle))
	// After the deadline is set: end comes after the context, and sets another one.
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	n, err := p.ReadCloser.Read(b)
	if err == nil || errors.Is(err, io.EOF) { // or it would end the request while the file is offered
		p.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// end has a Read that waits return, and nobody wait for the rest.
func (p *patient) end() { p.conn.SetReadDeadline(time.Unix(1, 0)) }

// receive copies a file and offers it, and returns why it was not sent.
func (s *Server) receive(ctx context.Context, to *contactsv1.Contact, one *uploading, file io.Reader) *fault {
	err := s.uploads.begin(one)
	if err == nil {
		err = s.copyAndOffer(ctx, to, one, file)
	}
	if errors.Is(err, errStopped) {
		s.uploads.end(one, nil)
		return &fault{Text: "Cancelled."}
	}
	why := uploadFault(one.Name, err)
	s.uploads.end(one, why)
	return why
}

func (s *Server) copyAndOffer(ctx context.Context, to *contactsv1.Contact, one *uploading, file io.Reader) error {
	if err := s.spool.room(one.Size); err != nil {
		return err
	}
	c, err := s.spool.create(one.ID, one.Name)
	if err != nil {
		return err
	}
	if err := s.copy(ctx, c, one, file); err != nil {
		return errors.Join(err, c.drop())
	}
	path, err := c.keep()
	if err != nil {
		return errors.Join(err, c.drop())
	}
	// Whole as it is, it is offered even if nobody looks any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), offerFor)
	defer cancel()
	_, err = s.client.Files().SendFile(ctx, &contactsv1.SendFileRequest{Id: one.ID, Contact: to.Odid, Path: path})
	switch client.Reason(err) {
	case "", client.ReasonUnreachable, client.ReasonStopping, client.ReasonTimeout:
		// If it failed, nobody knows whether it was offered: tidying finds out.
		c.settled()
		return err
	}
	return errors.Join(err, c.drop())
}

// copy writes what comes, until it ends.
func (s *Server) copy(ctx context.Context, to *copying, one *uploading, from io.Reader) error {
	out := bufio.NewWriterSize(to, copyBuffer)
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		s.uploads.moved(one, n)
		if _, err := out.Write(b[:n]); err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return out.Flush()
		case err != nil:
			return err
		}
	}
}

// uploadFault says why a file was not sent, nil for nil.
func uploadFault(name string, err error) *fault {
	var long *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &long), errors.Is(err, errTooLarge):
		return &fault{fmt.Sprintf("“%s” has more than %s.", name, bytesText(maxCopy)), "Offer it by its path: then nothing is copied."}
	case errors.Is(err, errBusy):
		return &fault{fmt.Sprintf("“%s” was not sent: %d others are under way.", name, maxUploading), "Try again when one has ended."}
	case errors.Is(err, errTooMany):
		return &fault{fmt.Sprintf("“%s” was not sent: %d files wait already.", name, maxCopies), "Cancel some, under Files."}
	case errors.Is(err, errQuota):
		return &fault{fmt.Sprintf("“%s” was not sent: with what waits already it is more than %s.", name, bytesText(maxSpool)), "Cancel some, under Files, or offer it by its path: then nothing is copied."}
	case errors.Is(err, errSpace):
		return &fault{fmt.Sprintf("“%s” was not sent: the disk has too little space.", name), "Offer it by its path: then nothing is copied."}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled):
		return &fault{fmt.Sprintf("“%s” was not sent: the browser stopped sending it.", name), ""}
	}
	if client.Reason(err) != "" {
		return faultOf(err)
	}
	return &fault{fmt.Sprintf("“%s” was not sent: it can’t be stored on this computer.", name), ""}
}

func (s *Server) showUploads(w http.ResponseWriter, _ *http.Request) {
	s.part(w, http.StatusOK, "uploads", s.uploads.list())
}

// endUpload cancels one, or takes away what says why it failed.
func (s *Server) endUpload(w http.ResponseWriter, r *http.Request) {
	s.uploads.cancel(r.PathValue("id"))
	s.showUploads(w, r)
}
