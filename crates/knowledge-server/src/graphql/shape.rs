//! Puts a response into the shape that the specification asks for.
//!
//! The executor gives fields in the order in which they were resolved and leaves out those that
//! failed. Here they get the order of the document, and a failed field becomes `null`, or its
//! parent does when the schema says that it is never `null`.

use std::collections::HashMap;

use async_graphql::{
    Name, PathSegment, Positioned, Response, Value,
    indexmap::IndexMap,
    parser::{
        parse_schema,
        types::{
            BaseType, ExecutableDocument, Field, FieldDefinition, Selection, SelectionSet, Type,
            TypeKind, TypeSystemDefinition,
        },
    },
};

/// The types of all fields, by the name of the object or interface and that of the field.
#[derive(Debug, Default)]
pub(super) struct Shapes(HashMap<String, HashMap<String, Type>>);

/// Selections on one value, each with the name of the type that it is made on.
type Sets<'a> = Vec<(String, &'a SelectionSet)>;

/// A document with the schema that it was validated against.
struct Shaper<'a> {
    shapes: &'a Shapes,
    document: &'a ExecutableDocument,
}

impl Shapes {
    /// Reads the types from a schema; none from a text that is no schema.
    pub(super) fn new(sdl: &str) -> Self {
        let Ok(schema) = parse_schema(sdl) else {
            return Self::default();
        };
        let mut shapes = HashMap::new();
        for definition in schema.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let name = definition.node.name.node.to_string();
            shapes.insert(name, fields.into_iter().map(named_type).collect());
        }
        Self(shapes)
    }

    /// Shapes the response to a document whose operation works on `root`.
    pub(super) fn restore(
        &self,
        document: &ExecutableDocument,
        operation: &SelectionSet,
        root: &str,
        response: &mut Response,
    ) {
        let shaper = Shaper {
            shapes: self,
            document,
        };
        let sets = vec![(root.to_owned(), operation)];
        for error in &response.errors {
            if !error.path.is_empty() && shaper.settle(&mut response.data, &sets, &error.path) {
                response.data = Value::Null;
            }
        }
        shaper.order(&mut response.data, &sets);
    }

    fn field(&self, owner: &str, field: &str) -> Option<&Type> {
        self.0.get(owner)?.get(field)
    }
}

fn named_type(field: Positioned<FieldDefinition>) -> (String, Type) {
    (field.node.name.node.to_string(), field.node.ty.node)
}

impl<'a> Shaper<'a> {
    /// Makes `null` what failed at the end of the path; whether the value itself must be `null`.
    fn settle(&self, value: &mut Value, sets: &Sets<'a>, path: &[PathSegment]) -> bool {
        let Some((PathSegment::Field(key), rest)) = path.split_first() else {
            return false;
        };
        let fields = self.fields(sets, key);
        let Some(ty) = self.type_of(&fields) else {
            return false;
        };
        if *value == Value::Null {
            *value = Value::Object(IndexMap::new());
        }
        let Value::Object(object) = value else {
            return false;
        };
        let child = object.entry(Name::new(key)).or_insert(Value::Null);
        let failed = if rest.is_empty() {
            true
        } else {
            self.settle_typed(child, &self.children(&fields), rest, ty)
        };
        if failed {
            *child = Value::Null;
        }
        failed && !ty.nullable
    }

    /// The same for a value of a type that may be a list.
    fn settle_typed(
        &self,
        value: &mut Value,
        sets: &Sets<'a>,
        path: &[PathSegment],
        ty: &Type,
    ) -> bool {
        let BaseType::List(item_type) = &ty.base else {
            return self.settle(value, sets, path);
        };
        let (Some((PathSegment::Index(index), rest)), Value::List(items)) =
            (path.split_first(), value)
        else {
            // The list as a whole was left out.
            return true;
        };
        let Some(item) = items.get_mut(*index) else {
            return true;
        };
        let failed = rest.is_empty() || self.settle_typed(item, sets, rest, item_type);
        if failed {
            *item = Value::Null;
        }
        failed && !item_type.nullable
    }

    /// Puts the keys of every object into the order of the document.
    fn order(&self, value: &mut Value, sets: &Sets<'a>) {
        match value {
            Value::List(items) => {
                for item in items {
                    self.order(item, sets);
                }
            }
            Value::Object(object) => {
                let mut keys = Vec::new();
                for (_, set) in sets {
                    self.keys(set, &mut keys);
                }
                let mut unordered = std::mem::take(object);
                for key in keys {
                    if let Some((key, mut child)) = unordered.swap_remove_entry(key) {
                        self.order(&mut child, &self.children(&self.fields(sets, &key)));
                        object.insert(key, child);
                    }
                }
                object.extend(unordered);
            }
            _ => {}
        }
    }

    /// The keys that a selection asks for, as often and in the order in which it names them.
    fn keys(&self, set: &'a SelectionSet, keys: &mut Vec<&'a str>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => keys.push(field.node.response_key().node.as_str()),
                _ => {
                    if let Some((_, set)) = self.fragment(&selection.node) {
                        self.keys(set, keys);
                    }
                }
            }
        }
    }

    /// The fields that answer under a key, with the types that they are selected on.
    fn fields(&self, sets: &Sets<'a>, key: &str) -> Vec<(String, &'a Field)> {
        let mut found = Vec::new();
        for (owner, set) in sets {
            self.collect(owner, set, key, &mut found);
        }
        found
    }

    fn collect(
        &self,
        owner: &str,
        set: &'a SelectionSet,
        key: &str,
        found: &mut Vec<(String, &'a Field)>,
    ) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.response_key().node == key => {
                    found.push((owner.to_owned(), &field.node));
                }
                Selection::Field(_) => {}
                fragment => {
                    if let Some((condition, set)) = self.fragment(fragment) {
                        self.collect(condition.unwrap_or(owner), set, key, found);
                    }
                }
            }
        }
    }

    /// What a fragment selects, and on which type if it says so.
    fn fragment(&self, selection: &'a Selection) -> Option<(Option<&'a str>, &'a SelectionSet)> {
        match selection {
            Selection::Field(_) => None,
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let condition = condition.map(|condition| condition.node.on.node.as_str());
                Some((condition, &fragment.node.selection_set.node))
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = &self.document.fragments.get(name)?.node;
                let condition = fragment.type_condition.node.on.node.as_str();
                Some((Some(condition), &fragment.selection_set.node))
            }
        }
    }

    fn type_of(&self, fields: &[(String, &'a Field)]) -> Option<&'a Type> {
        let mut types = fields
            .iter()
            .filter_map(|(owner, field)| self.shapes.field(owner, &field.name.node));
        types.next()
    }

    /// What is selected on the values of some fields.
    fn children(&self, fields: &[(String, &'a Field)]) -> Sets<'a> {
        let child = |(owner, field): &(String, &'a Field)| {
            let ty = self.shapes.field(owner, &field.name.node)?;
            Some((named(ty).to_owned(), &field.selection_set.node))
        };
        fields.iter().filter_map(child).collect()
    }
}

/// The name of a type, its lists taken off.
fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(item) => named(item),
    }
}

#[cfg(test)]
mod tests;
