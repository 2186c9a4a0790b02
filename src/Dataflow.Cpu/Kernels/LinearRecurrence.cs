using Dataflow.Cpu.Kernels.Internals;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cpu.Kernels;

/// <summary>
/// The gated delta rule (Yang, Kautz and Hatamizadeh, 2025), or a state space (Dao and Gu, 2024), by blocks of tokens: within a block all
/// its tokens at once, for the rule by a triangular system, from block to block the state (<see cref="RecurrenceBlock"/>). Blocks begin at
/// the chunk's first token. Arithmetic is fp32, gates and their sums fp64, each output rounded once. Heads are independent of each other
/// forward, key heads backward: one is a job.
/// </summary>
public static unsafe partial class LinearRecurrence
{
    /// <summary>Overwrites y and the state.</summary>
    public static void Forward(ThreadTeam team, in LinearRecurrenceForwardArguments call)
    {
        RecurrenceInput input = new(call.Shape, call.Channels, call.Gates, call.Decay, call.StepBias, call.Skip, call.At);
        Matrix? y = Matrix.Of(call.Y);
        y?.Expect(input.Tokens, call.Shape.ValueWidth, nameof(call.Y));
        team.For(call.Shape.Heads, new ForwardJob(team, input, new(call.Before), new(call.After), y));
    }

    private readonly struct ForwardJob(ThreadTeam team, RecurrenceInput input, States before, States after, Matrix? y) : IJob
    {
        public void Run(int head, int worker)
        {
            RecurrenceBlock block = new(input, team.Scratch(worker));
            Recurrence shape = input.Shape;
            float* state = block.Take(shape.KeyDim * block.Values), one = block.Take(block.Values);
            before.Load(shape, head, state, block.Values);
            for (int b = 0; b < input.Blocks; b++)
            {
                block.LoadKeys(head / input.Group, b);
                block.LoadValues(head);
                block.Solve(state);
                if (y is { } result)
                {
                    block.MeetKeys();
                    for (int i = 0; i < block.Count; i++)
                    {
                        block.Read(i, head, state, one);
                        Row to = new(result, block.First + i, head * shape.ValueDim);
                        for (int j = 0; j < shape.ValueDim; j += Lanes.Count)
                        {
                            to.Store(j, System.Runtime.Intrinsics.Vector512.Load(one + j), shape.ValueDim - j);
                        }
                    }
                }

                block.Advance(state);
            }

            after.Store(shape, head, state, block.Values);
        }
    }

    /// <summary>States of all heads, or their gradients: [heads x key width, value width] fp32, or none, which are 0.</summary>
    private readonly struct States
    {
        private readonly float* data;

        public States(in Tensor? tensor)
            : this((float*)(tensor?.Address ?? 0))
        {
        }

        public States(float* data) => this.data = data;

        /// <summary>Rows of whole vectors, what is behind a value 0.</summary>
        public void Load(Recurrence shape, int head, float* to, int stride)
        {
            int width = shape.ValueDim;
            new Span<float>(to, shape.KeyDim * stride).Clear();
            for (int a = 0; data != null && a < shape.KeyDim; a++)
            {
                At(shape, head, a).CopyTo(new Span<float>(to + (a * stride), width));
            }
        }

        public void Store(Recurrence shape, int head, float* from, int stride)
        {
            for (int a = 0; data != null && a < shape.KeyDim; a++)
            {
                new ReadOnlySpan<float>(from + (a * stride), shape.ValueDim).CopyTo(At(shape, head, a));
            }
        }

        private Span<float> At(Recurrence shape, int head, int row) =>
            new(data + ((((long)head * shape.KeyDim) + row) * shape.ValueDim), shape.ValueDim);
    }
}
