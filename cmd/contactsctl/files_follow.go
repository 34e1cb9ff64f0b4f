package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	contactsv1 "contactsd/api/contacts/v1"
)

// bars is what files --follow has on a terminal: a line for each transfer that
// moves, redrawn in place, below what is over.
type bars struct {
	*app
	names  *titles
	moving []*contactsv1.File
	drawn  int // lines
}

func (a *app) followFiles(ctx context.Context, contact string, limit uint32) error {
	// The stream stands before the list is read, so nothing falls between.
	stream, err := a.client.Events().WatchEvents(ctx, &contactsv1.WatchEventsRequest{})
	if err != nil {
		return err
	}
	defer stream.Close()
	if !stream.Receive() {
		return ended(ctx, stream.Err())
	}
	odid := ""
	if contact != "" {
		c, err := a.client.Contacts().GetContact(ctx, &contactsv1.GetContactRequest{Contact: contact})
		if err != nil {
			return err
		}
		odid = c.Contact.Odid
	}
	all, err := a.listFiles(ctx, odid, limit)
	if err != nil {
		return err
	}
	b := bars{app: a, names: a.titles(ctx)}
	for _, f := range all {
		if err := b.take(f); err != nil {
			return err
		}
	}
	for stream.Receive() {
		e := stream.Msg().Event
		if e == nil || !strings.HasPrefix(e.Type, "file.") || odid != "" && e.Contact != odid {
			continue
		}
		f := e.File
		if f == nil {
			r, err := a.client.Files().GetFile(ctx, &contactsv1.GetFileRequest{Id: e.Id})
			if err != nil {
				return err
			}
			f = r.File
		}
		if err := b.take(f); err != nil {
			return err
		}
	}
	return ended(ctx, stream.Err())
}

// take shows a transfer as it is now.
func (b *bars) take(f *contactsv1.File) error {
	if b.json {
		return b.object(f)
	}
	if !b.live {
		return b.say("%s", b.line(f))
	}
	b.clear()
	b.moving = without(b.moving, f.Id)
	if f.State == "active" || f.State == "preparing" {
		b.moving = append(b.moving, f)
	} else if err := b.say("%s", b.line(f)); err != nil {
		return err
	}
	return b.draw()
}

// without returns the transfers but for one, in their order.
func without(list []*contactsv1.File, id string) []*contactsv1.File {
	kept := list[:0:0]
	for _, f := range list {
		if f.Id != id {
			kept = append(kept, f)
		}
	}
	return kept
}

func (b *bars) clear() {
	if b.drawn > 0 {
		fmt.Fprintf(b.out, "\x1b[%dA\r\x1b[J", b.drawn)
		b.drawn = 0
	}
}

func (b *bars) draw() error {
	var s strings.Builder
	for _, f := range b.moving {
		s.WriteString(b.line(f) + "\n")
	}
	b.drawn = len(b.moving)
	_, err := io.WriteString(b.out, s.String())
	return err
}

// line is one transfer: its name, and how it stands or how far it is.
func (b *bars) line(f *contactsv1.File) string {
	way := "from"
	if f.Direction == "out" {
		way = "to"
	}
	head := fmt.Sprintf("%s  %s %s  ", b.paint(bold, safe(f.Name)), way, b.names.of(f.Odid))
	if f.State != "active" || f.Rate == 0 {
		return head + fileState(f)
	}
	return head + bar(f.Done, f.Size, 24) + "  " + byteText(f.Rate) + "/s" + left(f)
}

// bar is how much of something is done, as a bar of so many columns and in words.
func bar(done, size uint64, columns int) string {
	if size == 0 {
		return ""
	}
	share := float64(min(done, size)) / float64(size)
	full := int(share * float64(columns))
	return fmt.Sprintf("[%s%s] %3d %%", strings.Repeat("#", full), strings.Repeat("-", columns-full), int(share*100))
}

// left is the time that the rest takes at the rate of late.
func left(f *contactsv1.File) string {
	if f.Rate == 0 || f.Done >= f.Size {
		return ""
	}
	seconds := float64(f.Size-f.Done) / float64(f.Rate)
	if seconds > 99*3600 {
		return ""
	}
	return "  " + (time.Duration(seconds+1) * time.Second).String() + " left"
}
