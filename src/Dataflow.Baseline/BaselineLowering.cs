using System.Collections.Immutable;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Baseline;

/// <summary>
/// A plan's step as the published system runs it. Forward: every layer over all chunks; activations that go home leave from their slot,
/// which the pair that comes as many pairs later as there are slots takes over; after a layer the next missing parameters are fetched into
/// its slot, and when none are missing gradients from the top. Backward: layers down, chunks reversed, a chunk's input gradients before its
/// weight gradients; behind the former its position of the window gets the K and V of the layer below, on a stream of its own, behind the
/// latter its slot the next older activations; behind each layer its gradients go home and the next parameters and gradients come. One
/// inbound queue has all of these in that order. The optimizer's phase comes after the last backward and layer by layer: fetch, update,
/// save, and nothing overlaps with it.
/// </summary>
public sealed partial class BaselineLowering
{
    private const int Compute = StepStreams.Compute;
    private static readonly int Inbound = StepStreams.Of(LinkDirection.HostToDevice);
    private static readonly int Outbound = StepStreams.Of(LinkDirection.DeviceToHost);
    private static readonly ImmutableArray<string> Streams = [.. StepStreams.Of(MemoryTier.Host.Index + 1), "h2d-kv"];
    private static readonly int InboundKv = Streams.Length - 1;

    /// <summary>The piece of a chunk's backward that adds to the weights' gradients; the other is 0.</summary>
    internal const int WeightGradients = 1;

    private readonly BaselinePlan plan;
    private readonly BaselineMemory memory;
    private readonly List<ScheduledOp> ops = [];
    private readonly List<(int Op, Wait Wait)> orders = [];
    private readonly int layers;
    private readonly int chunks;
    private readonly int rounds;
    private readonly bool gradientsTravel;

    private BaselineLowering(BaselinePlan plan, int rounds)
    {
        (this.plan, this.rounds, memory) = (plan, rounds, new BaselineMemory(plan));
        (layers, chunks) = (plan.Request.Model.LayerCount, plan.Chunking.ChunksPerRound);
        gradientsTravel = plan.Device.GradientBlocks < layers;
    }

    /// <summary>The schedule of a step; the streams are compute, inbound, outbound and K,V inbound.</summary>
    public static Schedule Lower(BaselinePlan plan)
    {
        var lowering = new BaselineLowering(plan, plan.Rounds);
        for (int r = 0; r < plan.Rounds; r++)
        {
            lowering.Forward(new Round(r));
            lowering.Backward(new Round(r));
        }

        lowering.Optimize();
        return lowering.Finish();
    }

    private Schedule Finish()
    {
        var state = new List<Placement>();
        for (int l = 0; l < layers; l++)
        {
            state.AddRange([
                new(memory.Weights + l, memory.WeightHome + l),
                new(memory.First + l, memory.FirstHome + l),
                new(memory.Second + l, memory.SecondHome + l),
            ]);
            if (l < plan.Device.WeightBlocks)
            {
                state.Add(new(memory.Weights + l, WeightSlot(l)));
            }
        }

        state.AddRange(memory.Resident.Where((_, i) => i is not (2 or 3)).Select(r => new Placement(r.Object, r.Slot)));
        var schedule = new Schedule
        {
            Facts = Facts(),
            Arenas = [.. memory.Arenas],
            Streams = Streams,
            Slots = [.. memory.Slots],
            Objects = [.. memory.Objects],
            Inputs = [new(memory.Tokens, memory.TokensSlot)],
            State = [.. state],
            Outputs = [],
            Ops = [.. ops],
        };
        return StepOrder.Add(WaitInference.Infer(schedule), orders);
    }

    private ImmutableArray<KeyValuePair<string, string>> Facts()
    {
        static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
        return
        [
            new("model", plan.Request.Model.Name),
            new("policy", "reference"),
            new("recipe", "bf16"),
            new("seqlen", Text(plan.Request.Seqlen)),
            new("chunk_tokens", Text(plan.Chunking.ChunkTokens)),
            new("chunks_per_round", Text(chunks)),
            new("rounds_per_step", Text(rounds)),
        ];
    }

    private void Forward(Round r)
    {
        foreach (var c in Chunks())
        {
            Run(
                OpKind.Embed,
                null,
                c,
                r,
                [
                    Whole(Roles.Table, memory.Tokens, memory.TokensSlot, AccessMode.Read),
                    Resident(Roles.Weights, 0, AccessMode.Read),
                    Stream(Roles.Output, 0, c, AccessMode.Write),
                ]
            );
        }

        for (int l = 0; l < layers; l++)
        {
            var layer = new Layer(l);
            foreach (var c in Chunks())
            {
                ForwardChunk(layer, c, r);
            }

            int missing = l + plan.Device.WeightBlocks;
            if (missing < layers)
            {
                FetchWeights(missing, r);
            }
            else if (gradientsTravel && r.Index > 0 && missing - layers < plan.Device.GradientBlocks)
            {
                FetchGradients(layers - 1 - (missing - layers), r);
            }
        }
    }

    private void ForwardChunk(Layer l, Chunk c, Round r)
    {
        int pair = plan.PairOf(l, c);
        bool stays = plan.StaysOnDevice(l, c);
        var level = Saved(plan.LevelOf(l, c));
        Run(
            OpKind.Forward,
            l,
            c,
            r,
            [
                Weights(l, AccessMode.Read),
                Stream(Roles.Input, l.Index, c, AccessMode.Read),
                .. Window(l, 0, c.Index),
                Activations(pair, AccessMode.Write),
                Kv(pair, AccessMode.Write),
                Stream(Roles.Output, l.Index + 1, c, AccessMode.Write),
            ],
            level
        );
        Copy(OpKind.Fetch, Compute, l, c, r, new(KvObject(pair), KvSlot(pair), memory.WindowSlot + c.Index));
        if (!stays)
        {
            Copy(OpKind.Save, Outbound, l, c, r, new(KvObject(pair), KvSlot(pair), HomeOf(pair) + 1));
            Copy(OpKind.Save, Outbound, l, c, r, new(ActivationObject(pair), ActivationSlot(pair), HomeOf(pair)), level);
        }
    }

    private void Backward(Round r)
    {
        foreach (var c in Chunks().Reverse())
        {
            Run(
                OpKind.Head,
                null,
                c,
                r,
                [
                    Whole(Roles.Table, memory.Tokens, memory.TokensSlot, AccessMode.Read),
                    Resident(Roles.Weights, 1, AccessMode.Read),
                    Resident(Roles.Gradients, 3, First(r, c, chunks - 1) ? AccessMode.Write : AccessMode.ReadWrite),
                    Stream(Roles.Input, layers, c, AccessMode.Read),
                    Stream(Roles.GradStream, layers + 1, c, AccessMode.Write),
                    Whole(Roles.Scratch, memory.Logits, memory.LogitsSlot, AccessMode.Write),
                ]
            );
        }

        for (int l = layers - 1; l >= 0; l--)
        {
            var layer = new Layer(l);
            foreach (var c in Chunks().Reverse())
            {
                BackwardChunk(layer, c, r);
            }

            AfterBackward(l, r);
        }

        foreach (var c in Chunks().Reverse())
        {
            Run(
                OpKind.EmbedBackward,
                null,
                c,
                r,
                [
                    Whole(Roles.Table, memory.Tokens, memory.TokensSlot, AccessMode.Read),
                    Stream(Roles.GradStream, layers + 1, c, AccessMode.Read),
                    Resident(Roles.Gradients, 2, First(r, c, chunks - 1) ? AccessMode.Write : AccessMode.ReadWrite),
                ]
            );
        }
    }

    private void BackwardChunk(Layer l, Chunk c, Round r)
    {
        int pair = plan.PairOf(l, c);
        var level = plan.LevelOf(l, c);
        if (level != SaveLevel.Full)
        {
            Run(
                OpKind.Recompute,
                l,
                c,
                r,
                [
                    Weights(l, AccessMode.Read),
                    Activations(pair, AccessMode.Read),
                    .. Window(l, 0, c.Index + 1),
                    Whole(Roles.Scratch, memory.GradActivations, memory.GradActivationsSlot, AccessMode.Write),
                ],
                Saved(level)
            );
        }

        bool full = level == SaveLevel.Full;
        Run(
            OpKind.Backward,
            l,
            c,
            r,
            [
                Weights(l, AccessMode.Read),
                Activations(pair, AccessMode.Read),
                .. Window(l, 0, c.Index + 1),
                Stream(Roles.GradStream, layers + 1, c, AccessMode.ReadWrite),
                new Access(
                    Roles.GradKv,
                    memory.GradWindow,
                    memory.GradWindowSlot,
                    Bytes.Zero,
                    memory.Kv * (c.Index + 1),
                    c.Index == chunks - 1 ? AccessMode.Write : AccessMode.ReadWrite
                ),
                // A chunk waits for its layer's gradients before anything else; the first one of a step zeroes them.
                Gradients(l, First(r, c, chunks - 1) ? AccessMode.Write : AccessMode.Read),
                Whole(Roles.Scratch, memory.GradActivations, memory.GradActivationsSlot, full ? AccessMode.Write : AccessMode.ReadWrite),
            ],
            Saved(level)
        );

        if (l.Index > 0)
        {
            int below = pair - chunks;
            bool stays = below >= plan.Device.HomePairs;
            Copy(
                OpKind.Fetch,
                InboundKv,
                new Layer(l.Index - 1),
                c,
                r,
                new(KvObject(below), stays ? KvSlot(below) : HomeOf(below) + 1, memory.WindowSlot + c.Index)
            );
        }

        Run(
            OpKind.Backward,
            l,
            c,
            r,
            [
                Activations(pair, AccessMode.Read),
                Gradients(l, AccessMode.ReadWrite),
                Whole(Roles.Scratch, memory.GradActivations, memory.GradActivationsSlot, AccessMode.Read),
            ],
            Saved(level),
            WeightGradients
        );

        int older = pair - plan.Device.DevicePairs;
        if (older >= 0)
        {
            Copy(
                OpKind.Fetch,
                Inbound,
                new Layer(older / chunks),
                new Chunk(older % chunks),
                r,
                new(ActivationObject(older), HomeOf(older), ActivationSlot(older)),
                Saved(plan.Placement.Levels[older])
            );
        }
    }

    private void AfterBackward(int l, Round r)
    {
        bool last = r.Index == rounds - 1;
        if (gradientsTravel && (!last || l >= plan.Device.GradientBlocks))
        {
            Copy(OpKind.Save, Outbound, new Layer(l), null, r, new(memory.Gradients + l, GradientSlot(l), memory.GradientHome + l));
        }

        if (l >= plan.Device.WeightBlocks)
        {
            FetchWeights(l - plan.Device.WeightBlocks, r);
        }

        if (gradientsTravel && r.Index > 0 && l >= plan.Device.GradientBlocks)
        {
            FetchGradients(l - plan.Device.GradientBlocks, r);
        }
    }

    private void FetchWeights(int l, Round? r) =>
        Copy(OpKind.Fetch, Inbound, new Layer(l), null, r, new(memory.Weights + l, memory.WeightHome + l, WeightSlot(l)));

    private void FetchGradients(int l, Round? r) =>
        Copy(OpKind.Fetch, Inbound, new Layer(l), null, r, new(memory.Gradients + l, memory.GradientHome + l, GradientSlot(l)));
}
