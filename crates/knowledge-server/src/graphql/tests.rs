mod api;
mod contract;
