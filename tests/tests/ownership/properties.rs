//! What must hold whatever happens, and what must be possible.

use stateright::{Model, Property};

use super::{
    protocol::{Action, Policy, Protocol},
    world::{Stage, Status, World},
};

pub(crate) fn properties<const W: usize, const D: usize>() -> Vec<Property<Protocol<W, D>>> {
    vec![
        Property::always("a unit is committed once", |_, world: &World<W, D>| {
            !world.second_commit
        }),
        Property::always("a unit is reported once", |_, world: &World<W, D>| {
            world.documents.iter().all(|document| document.reports <= 1)
        }),
        Property::always("a turn has one outcome", |_, world: &World<W, D>| {
            let mut documents = world.documents.iter();
            documents.all(|document| document.outcomes <= document.attempts)
        }),
        Property::always(
            "nothing is written of what has ended",
            |_, world: &World<W, D>| !world.stray,
        ),
        Property::always(
            "a batch ends with its documents",
            |_, world: &World<W, D>| !world.batch.stage.is_terminal() || world.all_settled(),
        ),
        Property::always("a document runs in one place", |_, world: &World<W, D>| {
            (0..D).all(|document| places(world, document) <= 1)
        }),
        Property::always("a batch has one leader", |_, world: &World<W, D>| {
            !world.usurped
        }),
        Property::always(
            "a round follows a whole pass",
            |model: &Protocol<W, D>, world: &World<W, D>| {
                let rounds = match model.policy {
                    Policy::Rounds(rounds) => rounds,
                    Policy::Continue | Policy::Abort => 0,
                };
                !world.early_round && world.batch.round <= rounds
            },
        ),
        Property::always(
            "work never stops before the end",
            |model: &Protocol<W, D>, world: &World<W, D>| {
                let mut actions = Vec::new();
                model.actions(world, &mut actions);
                let ended = world.batch.stage.is_terminal() && world.all_settled();
                ended || actions.into_iter().any(Action::is_progress)
            },
        ),
        Property::sometimes("a former owner is refused", |_, world: &World<W, D>| {
            (0..W).any(|worker| (0..D).any(|document| is_former(world, worker, document)))
        }),
        Property::sometimes("the batch completes", |_, world: &World<W, D>| {
            world.batch.stage == Stage::Completed && !world.has(Status::Failed)
        }),
    ]
}

/// Processes that have a document since it was last queued and whose leases never ran out.
fn places<const W: usize, const D: usize>(world: &World<W, D>, document: usize) -> usize {
    let works = |worker: usize| {
        let held = world.workers[worker].held[document];
        held.is_some_and(|held| held.queued == world.documents[document].queued)
    };
    let in_time = |worker: usize| world.is_up(worker) && !world.workers[worker].late;
    let runs = world.documents[document].status == Status::Processing;
    (0..W)
        .filter(|worker| runs && in_time(*worker) && works(*worker))
        .count()
}

/// Whether a process is about to write of a document that has passed to another.
fn is_former<const W: usize, const D: usize>(
    world: &World<W, D>,
    worker: usize,
    document: usize,
) -> bool {
    let held = world.workers[worker].held[document];
    let passed = |token| token < world.documents[document].token;
    world.is_up(worker) && held.is_some_and(|held| passed(held.token))
}
