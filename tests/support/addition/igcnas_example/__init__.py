"""What another package can add to igcnas: a grouping, a block family, a sampler, a data set, a form of export."""
