package server

import (
	"context"

	contactsv1 "contactsd/api/contacts/v1"
	"contactsd/contact"
	"contactsd/relation"
)

type spams struct{ *Server }

func (s spams) ReportRequests(_ context.Context, req *contactsv1.ReportRequestsRequest) (*contactsv1.ReportRequestsResponse, error) {
	if err := checkNamed(req.Requests); err != nil {
		return nil, err
	}
	if req.All && len(req.Requests) > 0 {
		return nil, invalid("all", "requests are named as well")
	}
	if req.NoShare && req.WithWording {
		return nil, invalid("with_wording", "nobody is shown it with no_share")
	}
	items, errs, err := s.node.Relation.Answer(req.Requests, req.All, relation.Answer{
		Response: relation.Report, NoTell: req.NoTell, NoShare: req.NoShare, WithWording: req.WithWording,
	})
	if err != nil {
		return nil, err
	}
	return &contactsv1.ReportRequestsResponse{Results: s.results("ReportRequests", items, errs)}, nil
}

// checkNamed bounds the requests that a call names.
func checkNamed(items []string) error {
	if n := len(items); n > maxBatch {
		return &contact.LimitError{Field: "requests", Got: n, Limit: maxBatch, Unit: "items"}
	}
	return nil
}

func (s *Server) results(procedure string, items []string, errs []error) []*contactsv1.Result {
	results := make([]*contactsv1.Result, 0, len(items))
	for i, item := range items {
		r := &contactsv1.Result{Item: item, Ok: errs[i] == nil}
		if !r.Ok {
			r.Error = textOf(explainer{s}.explain(procedure, errs[i]))
		}
		results = append(results, r)
	}
	return results
}

func (s spams) ListQuarantine(_ context.Context, _ *contactsv1.ListQuarantineRequest) (*contactsv1.ListQuarantineResponse, error) {
	list, err := s.node.Relation.Quarantine()
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListQuarantineResponse{}
	for _, one := range list {
		r.Requests = append(r.Requests, &contactsv1.QuarantinedRequest{Request: requestOf(one), Why: one.Held.String(), Until: stamp(one.Until)})
	}
	return r, nil
}

func (s spams) ReleaseRequests(_ context.Context, req *contactsv1.ReleaseRequestsRequest) (*contactsv1.ReleaseRequestsResponse, error) {
	if err := checkNamed(req.Requests); err != nil {
		return nil, err
	}
	errs, err := s.node.Relation.Release(req.Requests)
	if err != nil {
		return nil, err
	}
	return &contactsv1.ReleaseRequestsResponse{Results: s.results("ReleaseRequests", req.Requests, errs)}, nil
}

func (s spams) ListReports(_ context.Context, _ *contactsv1.ListReportsRequest) (*contactsv1.ListReportsResponse, error) {
	list, err := s.node.Spam.Reports()
	if err != nil {
		return nil, err
	}
	r := &contactsv1.ListReportsResponse{}
	for _, one := range list {
		m := &contactsv1.Report{
			Odid: one.ODID.String(), Reporter: one.Reporter.String(), Own: one.Own, Shared: one.Shared,
			At: stamp(one.At), Until: stamp(one.Lapses), Wording: one.Wording, Counts: one.Counts, Paired: one.Paired,
		}
		if c, err := s.node.Relation.Get(one.Reporter); !one.Own && err == nil {
			m.ReporterName = c.Title()
		}
		r.Reports = append(r.Reports, m)
	}
	return r, nil
}

func (s spams) WithdrawReports(_ context.Context, req *contactsv1.WithdrawReportsRequest) (*contactsv1.WithdrawReportsResponse, error) {
	results, err := contacts(s).batch("WithdrawReports", req.Devices, func(item string) error {
		peer, err := contact.ParseODID(item)
		if err != nil {
			c, err := s.node.Relation.ResolveBlocked(item)
			if err != nil {
				return err
			}
			peer = c.ODID
		}
		return s.node.Spam.TakeBack(peer)
	})
	return &contactsv1.WithdrawReportsResponse{Results: results}, err
}

func (s spams) GetAskLock(_ context.Context, _ *contactsv1.GetAskLockRequest) (*contactsv1.GetAskLockResponse, error) {
	l, err := s.node.Spam.Lock()
	if err != nil {
		return nil, err
	}
	return &contactsv1.GetAskLockResponse{Locked: !l.Until.IsZero(), Until: stamp(l.Until), Reported: uint32(l.Rebukes)}, nil
}
