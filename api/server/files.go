package server

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/file"
)

type files struct{ *Server }

func (s files) SendFile(_ context.Context, req *contactsv1.SendFileRequest) (*contactsv1.SendFileResponse, error) {
	id, err := fileID(req.Id)
	if err != nil {
		return nil, err
	}
	c, err := s.find(req.Contact)
	if err != nil {
		return nil, err
	}
	t, err := s.node.File.Send(c.ODID, id, req.Path)
	if err != nil {
		return nil, err
	}
	return &contactsv1.SendFileResponse{File: fileOf(t)}, nil
}

func fileID(text string) (file.ID, error) {
	if text == "" {
		return file.NewID()
	}
	return file.ParseID(text)
}

func (s files) ListFiles(_ context.Context, req *contactsv1.ListFilesRequest) (*contactsv1.ListFilesResponse, error) {
	size, err := pageSize(req.PageSize)
	if err != nil {
		return nil, err
	}
	q := file.Query{Limit: size}
	if req.PageToken != "" {
		if q.Before, err = file.ParseID(req.PageToken); err != nil {
			return nil, invalid("page_token", "not from a page of files")
		}
	}
	if req.Contact != "" {
		c, err := s.find(req.Contact)
		if err != nil {
			return nil, err
		}
		q.Contact = c.ODID
	}
	page, err := s.node.File.List(q)
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListFilesResponse{}
	for _, t := range page.Transfers {
		r.Files = append(r.Files, fileOf(t))
	}
	if page.More {
		r.NextPageToken = page.Transfers[0].ID.String()
	}
	return r, nil
}

// of does one thing with the transfer that an id names.
func (s files) of(id string, do func(file.ID) (file.Transfer, error)) (*contactsv1.File, error) {
	parsed, err := file.ParseID(id)
	if err != nil {
		return nil, err
	}
	t, err := do(parsed)
	if err != nil {
		return nil, err
	}
	return fileOf(t), nil
}

func (s files) GetFile(_ context.Context, req *contactsv1.GetFileRequest) (*contactsv1.GetFileResponse, error) {
	f, err := s.of(req.Id, s.node.File.Get)
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetFileResponse{File: f}, nil
}

func (s files) AcceptFile(_ context.Context, req *contactsv1.AcceptFileRequest) (*contactsv1.AcceptFileResponse, error) {
	f, err := s.of(req.Id, func(id file.ID) (file.Transfer, error) { return s.node.File.Accept(id, req.Folder) })
	if err != nil {
		return nil, err
	}
	return &contactsv1.AcceptFileResponse{File: f}, nil
}

func (s files) RejectFile(_ context.Context, req *contactsv1.RejectFileRequest) (*contactsv1.RejectFileResponse, error) {
	f, err := s.of(req.Id, s.node.File.Reject)
	if err != nil {
		return nil, err
	}
	return &contactsv1.RejectFileResponse{File: f}, nil
}

func (s files) PauseFile(_ context.Context, req *contactsv1.PauseFileRequest) (*contactsv1.PauseFileResponse, error) {
	f, err := s.of(req.Id, s.node.File.Pause)
	if err != nil {
		return nil, err
	}
	return &contactsv1.PauseFileResponse{File: f}, nil
}

func (s files) ResumeFile(_ context.Context, req *contactsv1.ResumeFileRequest) (*contactsv1.ResumeFileResponse, error) {
	f, err := s.of(req.Id, s.node.File.Resume)
	if err != nil {
		return nil, err
	}
	return &contactsv1.ResumeFileResponse{File: f}, nil
}

func (s files) CancelFile(_ context.Context, req *contactsv1.CancelFileRequest) (*contactsv1.CancelFileResponse, error) {
	f, err := s.of(req.Id, s.node.File.Cancel)
	if err != nil {
		return nil, err
	}
	return &contactsv1.CancelFileResponse{File: f}, nil
}

func (s files) ClearFiles(_ context.Context, req *contactsv1.ClearFilesRequest) (*contactsv1.ClearFilesResponse, error) {
	if len(req.Ids) > maxBatch {
		return nil, &contact.LimitError{Field: "ids", Got: len(req.Ids), Limit: maxBatch, Unit: "items"}
	}
	ids := make([]file.ID, len(req.Ids))
	for i, text := range req.Ids {
		id, err := file.ParseID(text)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	n, err := s.node.File.Clear(ids...)
	if err != nil {
		return nil, err
	}
	return &contactsv1.ClearFilesResponse{Cleared: uint32(n)}, nil
}

func fileOf(t file.Transfer) *contactsv1.File {
	out := &contactsv1.File{
		Id:        t.ID.String(),
		Odid:      t.Contact.String(),
		Direction: t.Direction.String(),
		Name:      t.Name,
		Type:      t.Type,
		Size:      t.Size,
		Done:      t.Done,
		Rate:      t.Rate,
		Files:     t.Files,
		Folder:    t.Dir,
		State:     t.State.String(),
		Path:      t.Path,
		Waiting:   t.Waiting,
		OfferedAt: stamp(t.At),
		EndedAt:   stamp(t.Ended),
	}
	if out.Waiting == "" {
		out.Waiting = t.Note
	}
	return out
}

// fileProgress is the type of the events that tell how far a transfer is. They are
// not in the journal.
const fileProgress = "file.progress"

// moving holds the transfers of whose progress a watcher has yet to be told.
type moving struct {
	wake chan struct{} // of capacity 1

	mu  sync.Mutex
	ids map[file.ID]struct{}
}

// watchFiles collects progress until cancel is called.
func (s *Server) watchFiles() (m *moving, cancel func()) {
	m = &moving{wake: make(chan struct{}, 1), ids: make(map[file.ID]struct{})}
	return m, s.node.File.Watch(m.put)
}

func (m *moving) put(p file.Progress) {
	m.mu.Lock()
	m.ids[p.ID] = struct{}{}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *moving) take() []file.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []file.ID
	for id := range m.ids {
		ids = append(ids, id)
	}
	clear(m.ids)
	return ids
}

// progress is the event that tells how far a transfer is.
func (s *Server) progress(id file.ID) (*contactsv1.Event, error) {
	t, err := s.node.File.Get(id)
	if err != nil {
		return nil, err
	}
	return &contactsv1.Event{
		Type: fileProgress, At: timestamppb.New(time.Now()), Contact: t.Contact.String(), Id: id.String(),
		State: t.State.String(), File: fileOf(t),
	}, nil
}
