package quality

import (
	"cmp"
	"slices"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// Development says how well what is new is told from what is retold, by text
// alone.
type Development struct {
	Old, New   int     // cases of each
	AUC        float64 // chance that something new scores higher than something old
	AP         float64 // average precision of what is new
	Fires      float64 // share of the new that fire
	FalseFires float64 // share of the old that do
}

// MeasureDevelopment tries judge, which scores a case and says whether it
// fires, on similarity.Cases of the items.
func MeasureDevelopment(cfg similarity.Config, items []Item, judge func(similarity.Fresh) (score float64, fires bool)) (Development, error) {
	gold := make([]*string, len(items))
	for n := range items {
		gold[n] = items[n].Cluster
	}
	cases, err := similarity.Cases(cfg, Articles(items), gold)
	if err != nil {
		return Development{}, err
	}
	all := make([]scored, len(cases))
	d := Development{}
	for n, c := range cases {
		score, fires := judge(c.Fresh)
		all[n] = scored{score, c.New}
		switch {
		case c.New && fires:
			d.New++
			d.Fires++
		case c.New:
			d.New++
		case fires:
			d.Old++
			d.FalseFires++
		default:
			d.Old++
		}
	}
	if d.Old == 0 || d.New == 0 {
		return Development{Old: d.Old, New: d.New}, nil
	}
	d.Fires /= float64(d.New)
	d.FalseFires /= float64(d.Old)
	d.AUC, d.AP = curves(all, d.Old, d.New)
	return d, nil
}

type scored struct {
	score float64
	new   bool
}

// curves walks from the highest score down; those of one score count as in any
// order: half of each pair, and one step of the precision.
func curves(all []scored, old, fresh int) (auc, ap float64) {
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	newSoFar, oldSoFar := 0, 0
	for i := 0; i < len(all); {
		news, olds := 0, 0
		for j := i; i < len(all) && all[i].score == all[j].score; i++ {
			if all[i].new {
				news++
			} else {
				olds++
			}
		}
		auc += float64(news) * (float64(old-oldSoFar-olds) + float64(olds)/2)
		newSoFar += news
		oldSoFar += olds
		ap += float64(news) * float64(newSoFar) / float64(newSoFar+oldSoFar)
	}
	return auc / float64(old) / float64(fresh), ap / float64(fresh)
}
