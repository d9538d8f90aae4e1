package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/messages"
)

// The newsdesk's figures are shown on the node that has it and on no other, so that
// a sum over the cluster is one newsdesk's.
type deskFigure struct {
	desc *prometheus.Desc
	of   func(*newsdesk.Observation) float64
}

var newsdeskFigures = []deskFigure{
	figure("live_stories", "Stories that may be joined.", func(o *newsdesk.Observation) float64 { return float64(o.Stories) }),
	figure("awake_stories", "Stories that are looked at every minute and ranked.", func(o *newsdesk.Observation) float64 { return float64(o.Awake) }),
	figure("queued_events", "Events that wait to be taken.", func(o *newsdesk.Observation) float64 { return float64(o.Queued) }),
	figure("unsaid_events", "Events about stories that wait to be written into the log.", func(o *newsdesk.Observation) float64 { return float64(o.Unsaid) }),
	figure("behind_seconds", "For how long there has been something in the log that it has not taken.", func(o *newsdesk.Observation) float64 { return o.Behind.Seconds() }),
	figure("following", "1 while it has taken all that the log has.", func(o *newsdesk.Observation) float64 {
		if o.Live {
			return 1
		}
		return 0
	}),
	figure("sequence", "The newest frame taken.", func(o *newsdesk.Observation) float64 { return sequence(o.Position) }),
	figure("snapshot_sequence", "The newest frame in a snapshot.", func(o *newsdesk.Observation) float64 { return sequence(o.SnapshotAt) }),
}

func figure(name, help string, of func(*newsdesk.Observation) float64) deskFigure {
	return deskFigure{prometheus.NewDesc("birdwire_newsdesk_"+name, "Of the node that has the newsdesk. "+help, nil, nil), of}
}

func sequence(position uint64) float64 { return float64(messages.Position(position).Sequence()) }

// Describe is prometheus.Collector's.
func (p *deskProgress) Describe(to chan<- *prometheus.Desc) {
	for _, f := range newsdeskFigures {
		to <- f.desc
	}
}

// Collect is prometheus.Collector's.
func (p *deskProgress) Collect(to chan<- prometheus.Metric) {
	r := p.last.Load()
	if r == nil || !r.Here {
		return
	}
	for _, f := range newsdeskFigures {
		to <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, f.of(&r.Observation))
	}
}
