package newsrank

import (
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

func (l limits) appendRanked(b []byte, r *messages.ClustersRanked) []byte {
	b = append(b, `{"type":"clusters.ranked","data":[`...)
	for i, c := range first(r.GetClusters(), l.list) {
		if i > 0 {
			b = append(b, ',')
		}
		b = id(b, `{"id":`, c.GetId())
		b = l.str(b, `,"title":`, c.GetTitle())
		b = num(b, `,"article_count":`, c.GetArticleCount())
		b = l.str(b, `,"category":`, c.GetCategory())
		b = l.str(b, `,"top_source":`, c.GetTopSource())
		b = num(b, `,"rank":`, int64(c.GetRank()))
		b = float(b, `,"overall_score":`, c.GetOverallScore())
		b = float(b, `,"velocity":`, c.GetVelocity())
		b = float(b, `,"acceleration_score":`, c.GetAccelerationScore())
		b = l.str(b, `,"priority":`, c.GetPriority())
		b = append(b, '}')
	}
	return append(b, `],"updated":true`...)
}

func (l limits) appendDevelopment(b []byte, s *messages.StoryDevelopment) []byte {
	b = id(b, `{"type":"story.development","data":{"cluster_id":`, s.GetClusterId())
	b = l.str(b, `,"title":`, s.GetTitle())
	b = l.str(b, `,"description":`, s.GetDescription())
	b = l.str(b, `,"significance":`, s.GetSignificance())
	b = l.str(b, `,"headline":`, s.GetHeadline())
	b = l.str(b, `,"category":`, s.GetCategory())
	b = l.str(b, `,"previous_headline":`, s.GetPreviousHeadline())
	b = l.str(b, `,"new_headline":`, s.GetNewHeadline())
	b = num(b, `,"created_at_ms":`, s.GetCreatedMs())
	b = num(b, `,"enrichment_seq":`, s.GetEnrichmentSeq())
	return append(b, '}')
}

func (l limits) appendPriority(b []byte, s *messages.StoryPriority) []byte {
	b = id(b, `{"type":"story.priority_changed","data":{"cluster_id":`, s.GetClusterId())
	b = l.str(b, `,"headline":`, s.GetHeadline())
	b = l.str(b, `,"category":`, s.GetCategory())
	b = l.str(b, `,"previous_priority":`, s.GetPreviousPriority())
	b = l.str(b, `,"new_priority":`, s.GetNewPriority())
	b = float(b, `,"overall_score":`, s.GetOverallScore())
	b = float(b, `,"acceleration_score":`, s.GetAccelerationScore())
	return append(b, '}')
}

// appendClusterEvent writes only the detail that its action has.
func appendClusterEvent(b []byte, c *messages.ClusterChange) []byte {
	b = append(b, `{"type":"cluster.event","data":{"action":`...)
	b = dialect.AppendString(b, c.GetAction())
	b = id(b, `,"cluster_id":`, c.GetClusterId())
	b = append(b, `,"detail":{`...)
	if c.GetMergedFrom() != 0 {
		b = id(b, `"merged_from":`, c.GetMergedFrom())
		b = append(b, ',')
	}
	if c.GetSplitFrom() != 0 {
		b = id(b, `"split_from":`, c.GetSplitFrom())
		b = append(b, ',')
	}
	b = num(b, `"member_count":`, c.GetMemberCount())
	return append(b, `}}`...)
}

func (l limits) appendTickerNews(b []byte, t *messages.TickerNews) []byte {
	b = id(b, `{"type":"ticker.news","data":{"cluster_id":`, t.GetClusterId())
	b = l.str(b, `,"headline":`, t.GetHeadline())
	b = l.str(b, `,"category":`, t.GetCategory())
	b = append(b, `,"tickers":[`...)
	for i, k := range first(t.GetTickers(), l.list) {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.str(b, `{"symbol":`, k.GetSymbol())
		b = l.str(b, `,"asset_class":`, k.GetAssetClass())
		b = l.str(b, `,"sentiment":`, k.GetSentiment())
		b = float(b, `,"sentiment_score":`, k.GetSentimentScore())
		b = l.str(b, `,"impact":`, k.GetImpact())
		b = float(b, `,"impact_score":`, k.GetImpactScore())
		b = l.str(b, `,"rationale":`, k.GetRationale())
		b = float(b, `,"confidence":`, k.GetConfidence())
		b = append(b, '}')
	}
	return append(b, `]}`...)
}
