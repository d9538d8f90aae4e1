package rule

import "math"

const (
	metresPerMile = 1609.344
	maxGeoMetres  = 25 * metresPerMile // sides and radii are below it
	earthMetres   = 6371008.8
)

// within says whether the post's point, or its whole place, lies in the
// atom's region.
func (d *Doc) within(a *Atom) bool {
	p := d.post
	if p == nil || p.GetRetweetOf() != nil {
		return false
	}
	if g := p.GetGeo(); g != nil && a.contains(g.GetLon(), g.GetLat()) {
		return true
	}
	b := p.GetPlace().GetBbox()
	return len(b) == 4 &&
		a.contains(b[0], b[1]) && a.contains(b[2], b[1]) && a.contains(b[2], b[3]) && a.contains(b[0], b[3])
}

func (a *Atom) contains(lon, lat float64) bool {
	g := a.Geo
	if a.Kind == KindPointRadius {
		return metres(g[0], g[1], lon, lat) <= g[2]
	}
	if lat < g[1] || lat > g[3] {
		return false
	}
	if g[0] <= g[2] {
		return g[0] <= lon && lon <= g[2]
	}
	return lon >= g[0] && lon <= 180 || lon <= g[2] && lon >= -180 // over the 180th meridian
}

// metres is the great circle between two points (haversine, mean radius).
func metres(lon1, lat1, lon2, lat2 float64) float64 {
	const rad = math.Pi / 180
	u, v := math.Sin((lat2-lat1)*rad/2), math.Sin((lon2-lon1)*rad/2)
	h := u*u + math.Cos(lat1*rad)*math.Cos(lat2*rad)*v*v
	return 2 * earthMetres * math.Asin(math.Min(1, math.Sqrt(h)))
}
