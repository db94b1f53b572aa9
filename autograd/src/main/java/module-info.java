/** The reverse sweep: gradients of any order. */
module dev.gatun.autograd {
    requires transitive dev.gatun.engine;

    exports dev.gatun.autograd;
}
