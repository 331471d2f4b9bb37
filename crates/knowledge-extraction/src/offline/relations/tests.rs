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
    insta::assert_snapshot!(check("Born in Prelate, Saskatchewan, Ross Alger moved to Calgary.").await, @"Prelate locatedIn Saskatchewan | Ross Alger bornIn Prelate | Ross Alger livedIn Calgary");
    insta::assert_snapshot!(check("Tom Reed is the son of Anna Reed and Karl Reed.").await, @"Tom Reed childOf Anna Reed | Tom Reed childOf Karl Reed");
    insta::assert_snapshot!(check("Anna Reed married Karl Reed in 1990. Her brother was Paul Reed.").await, @"Anna Reed marriedTo Karl Reed | Anna Reed siblingOf Paul Reed");
}

#[tokio::test]
async fn firms() {
    insta::assert_snapshot!(check("Meridian Optical Works was founded by Nadia Kowalska in 1843.").await, @"Meridian Optical Works foundedBy Nadia Kowalska | Meridian Optical Works foundedIn `1843`");
    insta::assert_snapshot!(check("Nadia Kowalska founded Meridian Optical Works in 1843.").await, @"Meridian Optical Works foundedBy Nadia Kowalska | Meridian Optical Works foundedIn `1843`");
    insta::assert_snapshot!(check("Founded in 1857, Acme Corp is headquartered in Leeds. It was acquired by Zenith Corp.").await, @"Acme Corp foundedIn `1857` | Acme Corp headquarteredIn Leeds | Zenith Corp acquired Acme Corp");
    insta::assert_snapshot!(check("Zenith Corp acquired a controlling share of Acme Bank for £9 million, a sum that surprised the city.").await, @"Zenith Corp acquired Acme Bank | Acme Bank cost `£9 million`");
    insta::assert_snapshot!(check("Brightwater Shipping Group keeps its main office at Great Penfold.").await, @"Brightwater Shipping Group headquarteredIn Great Penfold");
    insta::assert_snapshot!(check("Anna Reed and Karl Reed founded Acme Corp.").await, @"Acme Corp foundedBy Anna Reed | Acme Corp foundedBy Karl Reed");
}

#[tokio::test]
async fn works() {
    insta::assert_snapshot!(check("Acme Corp completed the Lindale Observatory near Wexcombe in 1919 at a cost of £197,000.").await, @"Acme Corp completed Lindale Observatory | Lindale Observatory completedIn `1919` | Lindale Observatory cost `£197,000` | Lindale Observatory locatedIn Wexcombe");
    insta::assert_snapshot!(check("The Lindale Observatory was built by Acme Corp in 1919.").await, @"Lindale Observatory completedIn `1919` | Acme Corp completed Lindale Observatory");
    insta::assert_snapshot!(check("Song of Freedom is a 1936 British film directed by Elder Wills and starring Paul Robeson.").await, @"Song of Freedom countryOfOrigin British | Song of Freedom directedBy Elder Wills | Song of Freedom publishedOn `1936` | Song of Freedom starring Paul Robeson");
    insta::assert_snapshot!(check("The song \"Mess of Blues\" was written by Doc Pomus and Mort Shuman.").await, @"Mess of Blues writtenBy Doc Pomus | Mess of Blues writtenBy Mort Shuman");
    insta::assert_snapshot!(check("Mess of Blues is an album by Jeff Healey. It was released in 2008.").await, @"Mess of Blues performedBy Jeff Healey | Mess of Blues publishedOn `2008`");
}

#[tokio::test]
async fn careers() {
    insta::assert_snapshot!(check("Elias Brandt served as head of research of Kestrel Aeronautics until retirement.").await, @"Elias Brandt position `head of research` | Elias Brandt workedFor Kestrel Aeronautics");
    insta::assert_snapshot!(check("Paul Reed, chairman of Acme Corp, studied mechanics at Port Selby University.").await, @"Paul Reed position `chairman` | Paul Reed studiedAt Port Selby University | Paul Reed workedFor Acme Corp");
    insta::assert_snapshot!(check("She became the director of the Lowland Bank.").await, @"");
    insta::assert_snapshot!(check("Gareth Pryce first met Elias Brandt at a public meeting in Sandhaven on 28 June 1923.").await, @"Gareth Pryce met Elias Brandt");
    insta::assert_snapshot!(check("Ross Alger served as mayor of Calgary from 1977 to 1980.").await, @"Ross Alger position `mayor`");
}

#[tokio::test]
async fn places() {
    insta::assert_snapshot!(check("Lakefield is a town in Peterborough County, Ontario, Canada.").await, @"Lakefield locatedIn Peterborough County | Peterborough County country Canada | Peterborough County locatedIn Ontario | Ontario country Canada | Ontario locatedIn Canada");
    insta::assert_snapshot!(check("Vienna is the capital of Austria.").await, @"Vienna capitalOf Austria | Vienna locatedIn Austria");
    insta::assert_snapshot!(check("British singer Rick Astley sang in Turkey's Ankara Opera House.").await, @"Rick Astley citizenOf British | Ankara Opera House country Turkey");
    insta::assert_snapshot!(check("Elias Brandt was a German engineer.").await, @"Elias Brandt citizenOf German");
}

#[tokio::test]
async fn nothing_is_made_up() {
    insta::assert_snapshot!(check("He was born in it.").await, @"");
    insta::assert_snapshot!(check("Several letters survive.").await, @"");
    insta::assert_snapshot!(check("In 1990 in London.").await, @"");
}
