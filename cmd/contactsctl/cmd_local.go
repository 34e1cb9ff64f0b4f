package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/client"
	"contactsd/internal/home"
)

func (a *app) pathsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "paths",
		Short: "show where the daemon keeps its files; needs no daemon",
		Args:  takes(0, 0),
		RunE:  a.call(a.paths),
	}
}

func (a *app) paths(context.Context, []string) error {
	h, err := home.Resolve(a.client.Home)
	if err != nil {
		return &told{code: exitUsage, text: err.Error()}
	}
	if a.client.Socket != "" {
		if h.Socket, err = filepath.Abs(a.client.Socket); err != nil {
			return err
		}
	}
	if a.json {
		return a.value(struct {
			State  string `json:"state"`
			Store  string `json:"store"`
			Key    string `json:"key"`
			Config string `json:"config"`
			Socket string `json:"socket"`
			Lock   string `json:"lock"`
			Files  string `json:"files"`
		}{h.State, h.Store, h.Key, h.Config, h.Socket, h.Lock, h.Files})
	}
	return a.fields(
		[2]string{"state", safe(h.State)}, [2]string{"store", safe(h.Store)}, [2]string{"key", safe(h.Key)},
		[2]string{"config", safe(h.Config)}, [2]string{"socket", safe(h.Socket)}, [2]string{"lock", safe(h.Lock)},
		[2]string{"files", safe(h.Files)},
	)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "show the versions of this program and of the daemon, if it runs",
		Args:  takes(0, 0),
		RunE:  a.call(a.versions),
	}
}

func (a *app) versions(ctx context.Context, _ []string) error {
	daemon := ""
	s, err := a.client.Device().GetStatus(ctx, &contactsv1.GetStatusRequest{})
	switch {
	case err == nil:
		daemon = s.Version
	case client.Reason(err) != client.ReasonUnreachable:
		return err
	}
	if a.json {
		return a.value(struct {
			Version string `json:"version"`
			Daemon  string `json:"daemon"`
		}{version, daemon})
	}
	rows := [][2]string{{program, version}}
	if daemon != "" {
		rows = append(rows, [2]string{"contactsd", safe(daemon)})
	}
	return a.fields(rows...)
}
