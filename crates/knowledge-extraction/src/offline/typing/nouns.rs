//! What common nouns name.

use crate::offline::{
    kind::Kind,
    lexicon::{WordClass, lexicon},
    token::Token,
};

/// The kind that a common noun names.
pub(in crate::offline) fn noun_kind(token: &Token<'_>) -> Option<Kind> {
    let class = token.class;
    let singular = token
        .text
        .strip_suffix('s')
        .map(|word| lexicon().class(word))
        .unwrap_or_default();
    let is = |wanted: WordClass| class.is(wanted) || singular.is(wanted);
    match token.text {
        "company"
        | "band"
        | "group"
        | "team"
        | "club"
        | "label"
        | "party"
        | "agency"
        | "firm"
        | "manufacturer"
        | "duo"
        | "trio"
        | "organisation"
        | "organization"
        | "school"
        | "university"
        | "church"
        | "bank"
        | "brand"
        | "airline"
        | "newspaper publisher"
        | "network"
        | "station"
        | "body"
        | "subsidiary"
        | "publisher"
        | "developer"
        | "contractor"
        | "charity"
        | "union"
        | "museum"
        | "college"
        | "orchestra"
        | "hospital" => return Some(Kind::Organization),
        "film" | "album" | "song" | "single" | "novel" | "book" | "game" | "series" | "show"
        | "newspaper" | "magazine" | "journal" | "play" | "opera" | "poem" | "painting"
        | "programme" | "program" | "software" | "track" | "sequel" | "soundtrack" | "ship"
        | "aircraft" | "missile" | "missiles" | "sitcom" | "episode" | "manga" | "anime" | "EP"
        | "comedy" | "drama" | "documentary" | "ballet" | "musical" | "compilation" | "act"
        | "award" | "law" | "treaty" | "films" | "albums" | "songs" | "novels" | "singles"
        | "locomotive" | "tug" | "steamer" | "yacht" | "vessel" | "schooner" | "frigate"
        | "destroyer" | "submarine" | "battleship" | "cruiser" | "trawler" | "lifeboat"
        | "barque" | "steamship" => return Some(Kind::Work),
        "war" | "battle" | "tournament" | "festival" | "election" | "competition" | "event"
        | "campaign" | "conflict" | "championship" | "race" | "conference" | "rebellion"
        | "revolution" | "season" => return Some(Kind::Event),
        "language" | "species" | "genus" | "term" | "word" | "breed" | "dish" | "genre"
        | "style" | "disease" | "concept" | "name" | "surname" => return Some(Kind::Thing),
        "comune" | "building" | "place" | "stadium" | "neighborhood" | "reef" | "seat" | "cave"
        | "lake" | "river" | "mountain" | "road" | "street" | "park" | "bridge" | "location"
        | "area" | "community" | "tributary" | "country" | "airport" => return Some(Kind::Place),
        _ => {}
    }
    if is(WordClass::PERSON_NOUN) {
        return Some(Kind::Person);
    }
    if token.is(WordClass::PLACE_HEAD) {
        return Some(Kind::Place);
    }
    None
}
