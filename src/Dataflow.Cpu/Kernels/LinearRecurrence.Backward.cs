using System.Runtime.Intrinsics;
using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <content>The way back.</content>
public static unsafe partial class LinearRecurrence
{
    /// <summary>
    /// Gradients of what <see cref="RecurrenceBlock"/> says, block after block from the last on; the states before all of them are computed
    /// first, in the forward's way. Sums over value heads of a key head and over blocks are in ascending and descending order.
    /// </summary>
    public static void Backward(ThreadTeam team, in LinearRecurrenceBackwardArguments call)
    {
        RecurrenceInput input = new(call.Shape, call.Channels, call.Gates, call.Decay, call.StepBias, call.Skip, call.At);
        Outputs to = new(call);
        to.GradY.Expect(input.Tokens, call.Shape.ValueWidth, nameof(call.GradY));
        to.Channels.Expect(input.Tokens, call.Shape.Channels, nameof(call.GradChannels));
        to.Gates.Expect(input.Tokens, call.Shape.Gates, nameof(call.GradGates));

        // A state's gradient is read before its place among those of all states is cleared.
        States after = new(call.GradAfter), before = new(call.GradBefore);
        if (!call.Accumulate)
        {
            new Span<byte>((void*)call.GradStates.Address, checked((int)call.GradStates.Bytes)).Clear();
        }

        team.For(call.Shape.KeyHeads, new BackwardJob(team, input, new(call.Before), to, after, before, (float*)call.Workspace));
    }

    private readonly struct Outputs(in LinearRecurrenceBackwardArguments call)
    {
        private readonly bool accumulate = call.AccumulateVectors;
        private readonly Matrix? decay = Matrix.Of(call.GradDecay), stepBias = Matrix.Of(call.GradStepBias);
        private readonly Matrix? skip = Matrix.Of(call.GradSkip);

        public Matrix GradY { get; } = new(call.GradY);

        public Matrix Channels { get; } = new(call.GradChannels);

        public Matrix Gates { get; } = new(call.GradGates);

        public void Vectors(int head, double ofDecay, double ofStepBias, double ofSkip)
        {
            Add(decay, head, ofDecay);
            Add(stepBias, head, ofStepBias);
            Add(skip, head, ofSkip);
        }

        private void Add(Matrix? vector, int head, double sum)
        {
            if (vector is { } some)
            {
                Row to = new(some, 0, head);
                sum += accumulate ? to.Load(0, 1)[0] : 0;
                to.Store(0, Vector512.Create((float)sum), 1);
            }
        }
    }

    private readonly struct BackwardJob(
        ThreadTeam team, RecurrenceInput input, States before, Outputs to, States gradAfter, States gradBefore, float* kept) : IJob
    {
        public void Run(int keyHead, int worker)
        {
            RecurrenceBlock block = new(input, team.Scratch(worker));
            RecurrenceGradients gradients = new(input, ref block);
            Recurrence shape = input.Shape;
            int first = keyHead * input.Group, end = first + input.Group, blocks = input.Blocks;
            for (int head = first; head < end; head++)
            {
                before.Load(shape, head, gradients.State, block.Values);
                for (int b = 0; b < blocks; b++)
                {
                    Kept(head, b).Store(shape, 0, gradients.State, block.Values);
                    if (b + 1 < blocks)
                    {
                        block.LoadKeys(keyHead, b);
                        block.LoadValues(head);
                        block.Solve(gradients.State);
                        block.Advance(gradients.State);
                    }
                }
            }

            for (int b = blocks - 1; b >= 0; b--)
            {
                block.LoadKeys(keyHead, b);
                gradients.Clear();
                for (int head = first; head < end; head++)
                {
                    // A state's place is its gradient's once it was used.
                    Kept(head, b).Load(shape, 0, gradients.State, block.Values);
                    (b + 1 < blocks ? Kept(head, b + 1) : gradAfter)
                        .Load(shape, b + 1 < blocks ? 0 : head, gradients.GradState, block.Values);
                    gradients.Run(block, head, to.GradY);
                    gradients.StoreHead(block, head, to.Channels, to.Gates);
                    Kept(head, b).Store(shape, 0, gradients.GradState, block.Values);
                }

                gradients.StoreKeys(block, keyHead, to.Channels);
            }

            for (int head = first; head < end; head++)
            {
                Kept(head, 0).Load(shape, 0, gradients.GradState, block.Values);
                gradBefore.Store(shape, head, gradients.GradState, block.Values);
                int at = head - first;
                to.Vectors(head, gradients.OfDecay[at], gradients.OfStepBias[at], gradients.OfSkip[at]);
            }
        }

        private States Kept(int head, int block) =>
            new(kept + ((((long)head * input.Blocks) + block) * input.Shape.KeyDim * input.Shape.ValueDim));
    }
}
