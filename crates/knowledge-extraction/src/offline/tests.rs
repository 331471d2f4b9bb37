use knowledge_domain::graph::SourceText;
use proptest::prelude::*;

use super::{mentions::mentions, *};
use crate::extractor::TypedMention;

/// The mentions of a text in one line.
fn check(text: &str) -> String {
    mentions(text)
        .iter()
        .map(|found| format!("{}: {}", found.kind.core_type(), found.text))
        .collect::<Vec<_>>()
        .join(" | ")
}

#[test]
fn persons() {
    insta::assert_snapshot!(check("Ada Lovelace met Charles Babbage in London."), @"Person: Ada Lovelace | Person: Charles Babbage | Place: London");
    insta::assert_snapshot!(check("E. Marlow wrote to J.R.R. Tolkien and John F. Kennedy."), @"Person: E. Marlow | Person: J.R.R. Tolkien | Person: John F. Kennedy");
    insta::assert_snapshot!(check("President Jane Doe thanked Mr. Smith and Prof. Anna Weiss."), @"Person: Jane Doe | Person: Smith | Person: Anna Weiss");
    insta::assert_snapshot!(check("Siegfried \"Sigi\" Baumann beat Sammy Davis Jr. at chess."), @r#"Person: Siegfried "Sigi" Baumann | Person: Sammy Davis Jr."#);
    insta::assert_snapshot!(check("The British Prime Minister Margaret Hill visited Vincent van Dyke."), @"Place: British | Person: Margaret Hill | Person: Vincent van Dyke");
    insta::assert_snapshot!(check("Elena Petrov, who was a singer, married Charles de Morny."), @"Person: Elena Petrov | Person: Charles de Morny");
    insta::assert_snapshot!(check("Maria Keller-Hart died. Keller-Hart was a painter."), @"Person: Maria Keller-Hart | Person: Keller-Hart");
}

#[test]
fn organisations() {
    insta::assert_snapshot!(check("She joined the Royal Canadian Air Force (RCAF) before the RCAF moved."), @"Organization: Royal Canadian Air Force | Organization: RCAF | Organization: RCAF");
    insta::assert_snapshot!(check("Barrow & Lark Publishing bought Acme, Inc. and Zenith Corp."), @"Organization: Barrow & Lark Publishing | Organization: Acme, Inc. | Organization: Zenith Corp");
    insta::assert_snapshot!(check("He studied at the University of Alberta and the Institute for Advanced Study."), @"Organization: University of Alberta | Organization: Institute for Advanced Study");
    insta::assert_snapshot!(check("The Department of Trade and Industry sued Lloyd Motors Ltd. yesterday."), @"Organization: Department of Trade and Industry | Organization: Lloyd Motors Ltd.");
    insta::assert_snapshot!(check("The Women's Hospital of Leeds opened."), @"Organization: Women's Hospital of Leeds");
    insta::assert_snapshot!(check("Barrow and Lark is headquartered in Ashby."), @"Organization: Barrow and Lark | Place: Ashby");
}

#[test]
fn places() {
    insta::assert_snapshot!(check("Lakeside is a town in Peterborough County, Ontario, Canada."), @"Place: Lakeside | Place: Peterborough County | Place: Ontario | Place: Canada");
    insta::assert_snapshot!(check("The Rhine flows from Switzerland through Germany to the North Sea."), @"Place: Rhine | Place: Switzerland | Place: Germany | Place: North Sea");
    insta::assert_snapshot!(check("She lives at Upper Lake Road near Great Ashby."), @"Place: Upper Lake Road | Place: Great Ashby");
    insta::assert_snapshot!(check("German and South Korean teams met in the United States."), @"Place: German | Place: South Korean | Place: the United States");
    insta::assert_snapshot!(check("St. John's College is in Stratford-upon-Avon."), @"Organization: St. John's College | Place: Stratford-upon-Avon");
}

#[test]
fn dates_in_many_forms() {
    insta::assert_snapshot!(check("It opened on 13 March 1963 and closed on August 20, 1920."), @"Date: 13 March 1963 | Date: August 20, 1920");
    insta::assert_snapshot!(check("From 1997-8 to 1983–84, then in the 1990s and the 19th century."), @"Date: 1997-8 | Date: 1983–84 | Date: the 1990s | Date: the 19th century");
    insta::assert_snapshot!(check("In May 2014, summer 2009, July and early 1944."), @"Date: May 2014 | Date: summer 2009 | Date: July | Date: 1944");
    insta::assert_snapshot!(check("He may march in March."), @"Date: March");
    insta::assert_snapshot!(check("It took two years, a two-year plan, 23 weeks and one decade."), @"Date: two years | Date: two-year | Date: 23 weeks | Date: one decade");
    insta::assert_snapshot!(check("On 2012-05-03, 3/5/2012 and 03.05.2012."), @"Date: 2012-05-03 | Date: 3/5/2012 | Date: 03.05.2012");
    insta::assert_snapshot!(check("From 1810–1849 until 300 BC."), @"Date: 1810 | Date: 1849 | Date: 300 BC");
}

#[test]
fn quantities() {
    insta::assert_snapshot!(check("It cost £387,000, $856 m, US$300 or €1.5 million."), @"Quantity: £387,000 | Quantity: $856 m | Quantity: US$300 | Quantity: €1.5 million");
    insta::assert_snapshot!(check("About 15% of 7,284 people, or 2.4 percent, walked 15 km."), @"Quantity: 15% | Quantity: 7,284 | Quantity: 2.4 percent | Quantity: 15 km");
    insta::assert_snapshot!(check("Two medals, twenty-one miles, three-quarters and a 36-meter avenue."), @"Quantity: Two | Quantity: twenty-one miles | Quantity: three-quarters | Quantity: 36-meter");
    insta::assert_snapshot!(check("Chapter 3 of volume 2 has page 17; it reached number 75."), @"");
    insta::assert_snapshot!(check("She came second, he came 42nd."), @"");
}

#[test]
fn works_in_quotes_and_out() {
    insta::assert_snapshot!(check("\"The Old Harbour\" and “Lend a Hand Miss Jones” were hits."), @"Work: The Old Harbour | Work: Lend a Hand Miss Jones");
    insta::assert_snapshot!(check("He said \"I will not go there again\" and left."), @"");
    insta::assert_snapshot!(check("The film Song of Winter won the Booker Prize."), @"Work: Song of Winter | Work: Booker Prize");
    insta::assert_snapshot!(check("The Northern Gazette is a daily newspaper published in York."), @"Work: The Northern Gazette | Place: York");
    insta::assert_snapshot!(check("They completed the Ashby Observatory near Thornby."), @"Work: Ashby Observatory | Place: Thornby");
    insta::assert_snapshot!(check("Der Film »Das Boot« und « La Grande Illusion »."), @"Work: Der Film | Work: Das Boot | Work: La Grande Illusion");
}

#[test]
fn events() {
    insta::assert_snapshot!(check("The 2002 Winter Olympics followed World War II and the Battle of Hastings."), @"Event: 2002 Winter Olympics | Event: World War II | Event: Battle of Hastings");
    insta::assert_snapshot!(check("She won the 1998 FIFA World Cup."), @"Event: 1998 FIFA World Cup");
}

#[test]
fn opening_words_are_not_names() {
    insta::assert_snapshot!(check("During the war, Smith fled. After the war, he returned."), @"Person: Smith");
    insta::assert_snapshot!(check("Critics praised it. Several letters survive. Joining UNESCO helped."), @"Organization: UNESCO");
    insta::assert_snapshot!(check("Population growth slowed. Running water is rare."), @"");
    insta::assert_snapshot!(check("However, Marlow disagreed. Marlow left."), @"Person: Marlow | Person: Marlow");
}

#[test]
fn other_languages() {
    insta::assert_snapshot!(check("Angela Merkel besuchte Österreich und die Universität Wien."), @"Person: Angela Merkel | Thing: Österreich | Organization: Universität Wien");
    insta::assert_snapshot!(check("Élise Dupont est née à Orléans, près de la Loire."), @"Person: Élise Dupont | Thing: Orléans | Place: Loire");
    insta::assert_snapshot!(check("Лев Толстой родился в Ясной Поляне."), @"Person: Лев Толстой | Person: Ясной Поляне");
    insta::assert_snapshot!(check("Ο Νίκος ζει στην Αθήνα."), @"Person: Ο Νίκος | Thing: Αθήνα");
    insta::assert_snapshot!(check("東京は日本の首都です。「雪国」は小説だ。"), @"Work: 雪国");
    insta::assert_snapshot!(check("محمد علي يعيش في القاهرة."), @"");
    insta::assert_snapshot!(check("Ünal Öztürk und Łukasz Żak trafen İpek."), @"Person: Ünal Öztürk | Person: Łukasz Żak | Thing: İpek");
}

#[test]
fn hostile_input_finds_little() {
    insta::assert_snapshot!(check(""), @"");
    insta::assert_snapshot!(check("... !!! --- ???"), @"");
    insta::assert_snapshot!(check("\u{202e}abc\u{202c} \u{200d}\u{200d}"), @"");
    insta::assert_snapshot!(check("e\u{301}\u{301}\u{301} A\u{301}da"), @"Thing: A\u{301}da");
    insta::assert_snapshot!(check("👩\u{200d}👩\u{200d}👧\u{200d}👦 met 🇩🇪"), @"");
    insta::assert_snapshot!(check("\u{0}\u{1}\u{2}"), @"");
    insta::assert_snapshot!(check("' \" ( ) ‘ “ «"), @"");
    insta::assert_snapshot!(check("A. B. C. D. E. F. G."), @"Person: A. B. C. D. E. F. G");
    insta::assert_snapshot!(check("The The The A A A Of Of"), @"Work: The The A A A Of");
    insta::assert_snapshot!(check("of and & of the and"), @"");
    insta::assert_snapshot!(check("1 2 3 - 4 / 5 : 6 % $ $ £"), @"Quantity: 1 | Quantity: 2 | Quantity: 3 | Quantity: 4 | Quantity: 6 %");
    insta::assert_snapshot!(check("X of Y of Z of W of"), @"Work: X of Y of Z of W");
}

fn arbitrary_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "([A-Za-z0-9'’.,;:()\"“”&/–-]{1,9} ?){0,60}",
        "((The|of|and|in|University|King|born|John|was|founded|by|1990|two|May|St\\.|U\\.S\\.|\"|'s|,|\\(|\\)|-|%|\\$|£)[ ]?){0,80}",
        "[A-Z. ]{0,300}",
        "[\u{300}-\u{303}a-zA-Z\u{1f1e6}-\u{1f1ff}\u{200d}\u{4e00}-\u{4e20}]{0,200}",
    ]
}

proptest! {
    #[test]
    fn every_mention_is_in_the_text_and_no_two_overlap(text in arbitrary_text()) {
        let source = SourceText::new(text.as_str()).unwrap();
        let mut end = 0;
        for found in mentions(&text) {
            prop_assert!(source.verifies(found.span, found.text));
            prop_assert!(found.span.start() >= end);
            end = found.span.end();
        }
    }

    #[test]
    fn relations_never_panic_whatever_the_mentions(
        text in arbitrary_text(),
        spans in proptest::collection::vec((0_u32..400, 1_u32..20, 0_usize..8), 0..12),
    ) {
        let mentions: Vec<TypedMention> = spans
            .iter()
            .zip(0..)
            .map(|((start, length, kind), id)| TypedMention {
                id,
                span: knowledge_domain::graph::CharSpan::new(*start, start + length).ok(),
                text: "x".to_owned(),
                types: vec![kind::Kind::ALL[*kind].core_type().to_owned()],
            })
            .collect();
        let request = RelationRequest {
            text: &text,
            mentions: &mentions,
            topic: mentions.first(),
            ontology: &Ontology::core(),
            memo: None,
            idempotency_key: "",
        };
        relations::relations(request);
    }
}
