//! What persons are asked: pairs that resolution left apart, and that may be one.

use std::collections::{BTreeMap, BTreeSet};

use knowledge_domain::ids::{FormId, QuestionId};
use knowledge_resolution::{Doubt, Rule, VERSION};
use knowledge_tables::resolution_question::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{Resolution, explore::Component};
use crate::store::{
    StoreError,
    portions::{key_lists, portions},
    scope::on_either_side,
};

impl Resolution<'_> {
    /// Keeps the questions about a component's forms, and no others about them.
    pub(super) async fn ask(&self, component: &Component) -> Result<(), StoreError> {
        let mut asked: BTreeMap<Uuid, ActiveModel> = BTreeMap::new();
        for question in &component.explored.questions {
            let row = |at: usize| component.rows.get(&component.explored.forms.get(at)?.key);
            let edge = question.edge;
            let (Some(left), Some(right)) = (row(edge.left), row(edge.right)) else {
                return Err(StoreError::corrupt("a question about a form without a row"));
            };
            let edge = (left.row.id, right.row.id, edge.rule, edge.score);
            let row = self.question(edge, question.doubt);
            asked.insert(*row.id.as_ref(), row);
        }
        for near in &component.explored.asked {
            let id = |key: &String| FormId::derive(self.organization, key).uuid();
            let edge = (id(&near.left), id(&near.right), near.rule, near.score);
            let row = self.question(edge, Doubt::Near);
            asked.insert(*row.id.as_ref(), row);
        }
        let mut settled = Vec::new();
        for known in self.questions_of(component).await? {
            match asked.get(&known.id) {
                Some(row) if same(&known, row) => {
                    asked.remove(&known.id);
                }
                None if self.is_open(component, &known) => {}
                _ => settled.push(known.id),
            }
        }
        self.replace(settled, asked.into_values().collect()).await
    }

    /// Whether a question that was not found again stands: forms that another version of the rules
    /// has resolved have their vectors in no trees until they are renewed.
    fn is_open(&self, component: &Component, known: &Model) -> bool {
        let by_meaning = known.reason == Rule::SameMeaning.to_string();
        by_meaning && self.version != VERSION && !component.answers(known)
    }

    fn question(
        &self,
        (one, other, rule, score): (Uuid, Uuid, Rule, f64),
        doubt: Doubt,
    ) -> ActiveModel {
        let (left, right) = (one.min(other), one.max(other));
        let id = QuestionId::derive(FormId::from_uuid(left), FormId::from_uuid(right));
        ActiveModel {
            id: Set(id.uuid()),
            organization_id: Set(self.organization.uuid()),
            left_form_id: Set(left),
            right_form_id: Set(right),
            doubt: Set(doubt.to_string()),
            reason: Set(rule.to_string()),
            confidence: Set(score),
            created_at: Set(self.at),
            updated_at: Set(self.at),
        }
    }

    /// Which of some forms are asked about with another one of them because of what they mean.
    pub(super) async fn asked_by_meaning(&self, forms: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let forms: BTreeSet<Uuid> = forms.iter().copied().collect();
        let ids: Vec<Uuid> = forms.iter().copied().collect();
        let mut asked = Vec::new();
        for ids in key_lists(&ids) {
            let pairs: Vec<(Uuid, Uuid)> = Entity::find()
                .select_only()
                .columns([Column::LeftFormId, Column::RightFormId])
                .filter(Column::OrganizationId.eq(self.organization.uuid()))
                .filter(Column::LeftFormId.is_in(ids))
                .filter(Column::Reason.eq(Rule::SameMeaning.to_string()))
                .into_tuple()
                .all(self.tx)
                .await?;
            let among = pairs.into_iter().filter(|(_, right)| forms.contains(right));
            asked.extend(among.flat_map(|(left, right)| [left, right]));
        }
        Ok(asked)
    }

    async fn replace(&self, gone: Vec<Uuid>, new: Vec<ActiveModel>) -> Result<(), StoreError> {
        for ids in key_lists(&gone) {
            Entity::delete_many()
                .filter(Column::Id.is_in(ids.iter().copied()))
                .exec(self.tx)
                .await?;
        }
        for rows in portions(&new) {
            Entity::insert_many(rows.to_vec())
                .exec_without_returning(self.tx)
                .await?;
        }
        Ok(())
    }

    async fn questions_of(&self, component: &Component) -> Result<Vec<Model>, StoreError> {
        let forms: Vec<Uuid> = component.rows.values().map(|form| form.row.id).collect();
        let mut rows: BTreeMap<Uuid, Model> = BTreeMap::new();
        for ids in key_lists(&forms) {
            let sides = on_either_side(
                (Column::OrganizationId, self.organization),
                (Column::LeftFormId, Column::RightFormId),
                |side| side.is_in(ids.iter().copied()),
            );
            for side in sides {
                let found = Entity::find().filter(side).all(self.tx).await?;
                rows.extend(found.into_iter().map(|row| (row.id, row)));
            }
        }
        Ok(rows.into_values().collect())
    }
}

impl Component {
    /// Whether a question's two forms are one now, or were taken apart by a person.
    fn answers(&self, question: &Model) -> bool {
        let (left, right) = (question.left_form_id, question.right_form_id);
        let id = |at: &usize| {
            let form = self.explored.forms.get(*at)?;
            Some(self.rows.get(&form.key)?.row.id)
        };
        let one = self.explored.clusters.iter().any(|cluster| {
            let forms: BTreeSet<Uuid> = cluster.forms.iter().filter_map(id).collect();
            forms.contains(&left) && forms.contains(&right)
        });
        one || self.apart.contains(&(left, right))
    }
}

fn same(known: &Model, row: &ActiveModel) -> bool {
    row.doubt.as_ref() == &known.doubt
        && row.reason.as_ref() == &known.reason
        && (row.confidence.as_ref() - known.confidence).abs() < 1e-9
}
