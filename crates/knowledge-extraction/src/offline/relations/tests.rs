//! Relations as the whole pipeline finds them.

use knowledge_domain::{Ontology, graph::RelationObject};

use crate::{ExtractionPipeline, OfflineExtractor, PipelineConfig};

/// The relations of a text in one line.
async fn check(text: &str) -> String {
    let pipeline = ExtractionPipeline::new(std::sync::Arc::new(OfflineExtractor::new()));
    let (ontology, config) = (Ontology::core(), PipelineConfig::default());
    let graph = pipeline.run(text, &ontology, &config).await.unwrap();
    let name = |entity: u32| graph.entities[entity as usize].name.clone();
    graph
        .relations
        .iter()
        .map(|relation| {
            let object = match &relation.object {
                RelationObject::Entity(entity) => name(*entity),
                RelationObject::Literal { value, .. } => format!("`{value}`"),
            };
            format!("{} {} {object}", name(relation.subject), relation.predicate)
        })
        .collect::<Vec<_>>()
        .join(" | ")
}

#[tokio::test]
async fn lives() {
    insta::assert_snapshot!(check("Ada Lovelace was born in London in 1815.").await, @"Ada Lovelace bornIn London | Ada Lovelace bornOn `1815`");
    insta::assert_snapshot!(check("Ada Lovelace (10 December 1815 – 27 November 1852) was an English mathematician.").await, @"Ada Lovelace bornOn `10 December 1815` | Ada Lovelace citizenOf English | Ada Lovelace diedOn `27 November 1852`");
    insta::assert_snapshot!(check("Jane Doe (born 3 May 1950 in Leeds) is a singer. She died in York in 2001.").await, @"Jane Doe bornIn Leeds | Jane Doe bornOn `3 May 1950` | Jane Doe diedIn York | Jane Doe diedOn `2001`");
    insta::assert_snapshot!(check("Born in Milden, Saskatchewan, Ross Albright moved to Calgary.").await, @"Milden locatedIn Saskatchewan | Ross Albright bornIn Milden | Ross Albright livedIn Calgary");
    insta::assert_snapshot!(check("Tom Reed is the son of Anna Reed and Karl Reed.").await, @"Tom Reed childOf Anna Reed | Tom Reed childOf Karl Reed");
    insta::assert_snapshot!(check("Anna Reed married Karl Reed in 1990. Her brother was Paul Reed.").await, @"Anna Reed marriedTo Karl Reed | Paul Reed siblingOf Anna Reed");
}

#[tokio::test]
async fn firms() {
    insta::assert_snapshot!(check("Northwind Optical Works was founded by Nina Halloran in 1843.").await, @"Northwind Optical Works foundedBy Nina Halloran | Northwind Optical Works foundedIn `1843`");
    insta::assert_snapshot!(check("Nina Halloran founded Northwind Optical Works in 1843.").await, @"Northwind Optical Works foundedBy Nina Halloran | Northwind Optical Works foundedIn `1843`");
    insta::assert_snapshot!(check("Founded in 1857, Acme Corp is headquartered in Leeds. It was acquired by Zenith Corp.").await, @"Acme Corp foundedIn `1857` | Acme Corp headquarteredIn Leeds | Zenith Corp acquired Acme Corp");
    insta::assert_snapshot!(check("Zenith Corp acquired a controlling share of Acme Bank for £9 million, a sum that surprised the city.").await, @"Zenith Corp acquired Acme Bank | Acme Bank cost `£9 million`");
    insta::assert_snapshot!(check("Silverline Shipping Group keeps its main office at Great Ashby.").await, @"Silverline Shipping Group headquarteredIn Great Ashby");
    insta::assert_snapshot!(check("Anna Reed and Karl Reed founded Acme Corp.").await, @"Acme Corp foundedBy Anna Reed | Acme Corp foundedBy Karl Reed");
}

#[tokio::test]
async fn works() {
    insta::assert_snapshot!(check("Acme Corp completed the Ashby Observatory near Thornby in 1919 at a cost of £197,000.").await, @"Acme Corp completed Ashby Observatory | Ashby Observatory completedIn `1919` | Ashby Observatory cost `£197,000` | Ashby Observatory locatedIn Thornby");
    insta::assert_snapshot!(check("The Ashby Observatory was built by Acme Corp in 1919.").await, @"Ashby Observatory completedIn `1919` | Acme Corp completed Ashby Observatory");
    insta::assert_snapshot!(check("Song of Winter is a 1936 British film directed by Edgar Stone and starring Peter Rowan.").await, @"Song of Winter countryOfOrigin British | Song of Winter directedBy Edgar Stone | Song of Winter publishedOn `1936` | Song of Winter starring Peter Rowan");
    insta::assert_snapshot!(check("The song \"River of Gold\" was written by Dan Porter and Max Shore.").await, @"River of Gold writtenBy Dan Porter | River of Gold writtenBy Max Shore");
    insta::assert_snapshot!(check("River of Gold is an album by Jack Holt. It was released in 2008.").await, @"River of Gold performedBy Jack Holt | River of Gold publishedOn `2008`");
}

#[tokio::test]
async fn careers() {
    insta::assert_snapshot!(check("Edwin Marlow served as head of research of Falcon Aeronautics until retirement.").await, @"Edwin Marlow position `head of research` | Edwin Marlow workedFor Falcon Aeronautics");
    insta::assert_snapshot!(check("Paul Reed, chairman of Acme Corp, studied mechanics at West Dunholm University.").await, @"Paul Reed position `chairman` | Paul Reed studiedAt West Dunholm University | Paul Reed workedFor Acme Corp");
    insta::assert_snapshot!(check("She became the director of the Upland Bank.").await, @"");
    insta::assert_snapshot!(check("Martin Oakes first met Edwin Marlow at a public meeting in Whitmouth on 28 June 1923.").await, @"Martin Oakes met Edwin Marlow");
    insta::assert_snapshot!(check("Ross Albright served as mayor of Calgary from 1977 to 1980.").await, @"Ross Albright position `mayor`");
}

#[tokio::test]
async fn places() {
    insta::assert_snapshot!(check("Lakeside is a town in Peterborough County, Ontario, Canada.").await, @"Lakeside country Canada | Lakeside locatedIn Peterborough County | Lakeside locatedIn Ontario | Peterborough County country Canada | Peterborough County locatedIn Ontario | Ontario country Canada | Ontario locatedIn Canada");
    insta::assert_snapshot!(check("Vienna is the capital of Austria.").await, @"Vienna capitalOf Austria | Vienna locatedIn Austria");
    insta::assert_snapshot!(check("British singer Rick Ashdown sang in Turkey's Ankara Opera House.").await, @"Rick Ashdown citizenOf British | Ankara Opera House country Turkey");
    insta::assert_snapshot!(check("Edwin Marlow was a German engineer.").await, @"Edwin Marlow citizenOf German");
}

#[tokio::test]
async fn nouns() {
    insta::assert_snapshot!(check("Ada Reed, who leads Acme Corp, retired. Its director, Karl Moss, and his sister, Nina Moss, live in Leeds.").await, @"Ada Reed workedFor Acme Corp | Karl Moss position `director` | Karl Moss workedFor Acme Corp | Nina Moss siblingOf Karl Moss");
    insta::assert_snapshot!(check("In 1990 Acme Corp bought Zenith Bank, whose founder, Anna Holm, left.").await, @"Acme Corp acquired Zenith Bank | Zenith Bank acquiredOn `1990` | Zenith Bank foundedBy Anna Holm");
    insta::assert_snapshot!(check("Anna Holm is the daughter of the painter Karl Holm. He was born in York.").await, @"Anna Holm childOf Karl Holm | Karl Holm bornIn York");
    insta::assert_snapshot!(check("Councillor Anna Holm abstained: her brother, Karl Holm, works for Zenith Bank.").await, @"Karl Holm siblingOf Anna Holm | Karl Holm workedFor Zenith Bank");
    insta::assert_snapshot!(check("Anna Holm (chair) and Karl Moss met. Vienna, capital of Austria, was full.").await, @"Anna Holm position `chair` | Vienna capitalOf Austria");
}

#[tokio::test]
async fn a_place_is_no_short_form() {
    insta::assert_snapshot!(check("LODEHAVEN. The Lodehaven Institute of Physics is based in Lodehaven.").await, @"Lodehaven Institute of Physics headquarteredIn Lodehaven");
}

#[tokio::test]
async fn nothing_is_made_up() {
    insta::assert_snapshot!(check("He was born in it.").await, @"");
    insta::assert_snapshot!(check("Several letters survive.").await, @"");
    insta::assert_snapshot!(check("In 1990 in London.").await, @"");
}
