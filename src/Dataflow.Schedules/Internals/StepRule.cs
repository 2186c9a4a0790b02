using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Schedules.Internals;

/// <summary>
/// Rule <c>step</c>: the schedule computes the step that its facts name, all of it and nothing else. Every compute op is an op of the
/// <see cref="CanonicalStep"/> and accesses just its bytes of just its objects, in the same mode; it finds the same version of each as
/// there, so that nothing is left out, done twice, added in another order or used before it is final. State and inputs are those of the
/// model, all of them. What the schedule may choose is believed where it agrees with itself: what forwards keep, how updates are cut.
/// </summary>
internal sealed class StepRule
{
    private readonly Schedule schedule;
    private readonly Workload workload;
    private readonly ErrorList errors;
    private readonly Dictionary<OpIdentity, int> ops = [];
    private readonly Dictionary<ObjectId, int> objects = [];
    private readonly ObjectId?[] ids;
    private readonly Dictionary<(Layer, Chunk, Round), SaveSet> saved = [];
    private readonly Dictionary<ParameterOwner, List<long>> pieces = [];
    private readonly int[][] versions; // [op][access]: writes of its object before it
    private readonly int[] scratchBefore; // [op]: the op that used scratch last
    private int segments = 1;

    private StepRule(Schedule schedule, Workload workload, ErrorList errors)
    {
        (this.schedule, this.workload, this.errors) = (schedule, workload, errors);
        versions = new int[schedule.Ops.Length][];
        scratchBefore = new int[schedule.Ops.Length];
        ids = [.. schedule.Objects.Select(o => o.Id)];
        for (int o = 0; o < ids.Length; o++)
        {
            if (ids[o] is { } id)
            {
                objects[id] = o;
            }
        }
    }

    public static void Check(Schedule schedule, Workload workload, ErrorList errors)
    {
        var rule = new StepRule(schedule, workload, errors);
        rule.CheckMachine();
        rule.Collect();
        rule.CheckStep();
    }

    /// <summary>Arenas and streams have the names and the copies the direction that budgets, executor and simulator go by.</summary>
    private void CheckMachine()
    {
        int count = Math.Clamp(schedule.Arenas.Length, MemoryTier.Host.Index + 1, MemoryTier.All.Length);
        string[] tiers = [.. MemoryTier.All.Take(count).Select(t => t.Name)];
        if (!schedule.Arenas.Select(a => a.Name).SequenceEqual(tiers) || !schedule.Streams.SequenceEqual(StepStreams.Of(count)))
        {
            errors.Add("step", null, $"the arenas of a step are {Listed(tiers)}, its streams {Listed(StepStreams.Of(count))}");
            return;
        }

        int[] Copying(bool inbound) => [.. LinkDirection.Among(count).Where(d => d.IsInbound == inbound).Select(StepStreams.Of)];
        int[] compute = [StepStreams.Compute], fetch = Copying(inbound: true), save = Copying(inbound: false);
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            var op = schedule.Ops[i];
            int[] wanted = op.Kind switch { OpKind.Fetch => fetch, OpKind.Save => save, _ => compute };
            if (!wanted.Contains(op.Stream))
            {
                string names = string.Join(" or ", wanted.Select(s => schedule.Streams[s]));
                errors.Add("step", i, $"is on stream {schedule.Streams[op.Stream]} instead of {names}");
                continue;
            }

            foreach (var access in op.Accesses)
            {
                int place = schedule.Slots[access.Slot].Arena;
                if (place != TierOf(op, access).Index)
                {
                    errors.Add("step", i, $"accesses {errors.Access(access)} in the memory of the {schedule.Arenas[place].Name}");
                }
            }
        }
    }

    /// <summary>Where an op accesses bytes: kernels on the device, copies at the ends of their link.</summary>
    private static MemoryTier TierOf(ScheduledOp op, in Access access)
    {
        if (op.Stream == StepStreams.Compute)
        {
            return MemoryTier.Device;
        }

        var direction = StepStreams.DirectionOf(op.Stream);
        return access.Writes ? direction.Target : direction.Source;
    }

    private static string Listed(IReadOnlyList<string> names) => $"{string.Join(", ", names.SkipLast(1))} and {names[^1]}";

    /// <summary>Which ops there are, what they find, and what the schedule chose.</summary>
    private void Collect()
    {
        int[] written = new int[schedule.Objects.Length];
        int scratch = objects.GetValueOrDefault(new ObjectId(ObjectFamily.Scratch), -1),
            lastScratch = -1;
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            var op = schedule.Ops[i];
            if (op.Kind is OpKind.Fetch or OpKind.Save)
            {
                continue;
            }

            if (!ops.TryAdd(IdentityOf(op), i))
            {
                errors.Add("step", i, $"is the same as {errors.Op(ops[IdentityOf(op)])}");
            }

            versions[i] = [.. op.Accesses.Select(a => written[a.Object])];
            scratchBefore[i] = lastScratch;
            foreach (var access in op.Accesses)
            {
                written[access.Object] += access.Writes ? 1 : 0;
                lastScratch = access.Object == scratch ? i : lastScratch;
            }

            Remember(op);
        }
    }

    private void Remember(ScheduledOp op)
    {
        if (op.Segment is { } segment)
        {
            segments = segment.Count;
        }

        if (op is { Kind: OpKind.Forward or OpKind.Project, Layer: { } l, Chunk: { } c, Round: { } r })
        {
            saved[(l, c, r)] = op.Saved & SaveSet.All;
        }

        if (
            op.Kind == OpKind.Update
            && op.Accesses.FirstOrDefault(a => a.Role == Roles.Weights) is { Role: not null } weights
            && OwnerOf(weights) is { } owner
        )
        {
            (pieces.TryGetValue(owner, out var known) ? known : pieces[owner] = []).Add(
                weights.Length.Value / workload.Recipe.Parameters.Size()
            );
        }
    }

    private OpIdentity IdentityOf(ScheduledOp op) =>
        new(op.Kind, op.Layer, op.VocabularyBlock, op.Chunk, op.Round, op.Segment)
        {
            Piece = op.Piece,
            Wanted = op.Wanted,
            Owner =
                op.Kind is OpKind.Update or OpKind.Norm
                && op.Accesses.FirstOrDefault(a => a.Role == Roles.Gradients) is { Role: not null } gradients
                    ? OwnerOf(gradients)
                    : null,
        };

    /// <summary>Where pieces part what an update must have at once; null: nowhere.</summary>
    private static long? Parted(StateLayout state, List<long> counts)
    {
        long end = 0;
        foreach (long count in counts)
        {
            end += count;
            if (!state.MayCut(end))
            {
                return end;
            }
        }

        return null;
    }

    private ParameterOwner? OwnerOf(in Access parameters) => ids[parameters.Object]?.Owner;

    private void CheckStep()
    {
        if (segments > 1 && (segments > workload.Geometry.ChunksPerGroup || segments != workload.Geometry.SegmentsUpTo(segments)
            || !workload.Model.MayStreamWindows || workload.Geometry.ExpertGroups is not null
            || saved.Any(s => s.Key.Item1.Index >= workload.Model.LayersWithoutBackward && !LayerPrograms.MayStream(s.Value))))
        {
            errors.Add("step", null, $"windows cannot be streamed by {segments} segments");
            return;
        }

        var step = new CanonicalStep(workload, segments, (l, c, r) => saved.GetValueOrDefault((l, c, r)),
            owner => pieces.TryGetValue(owner, out var known) ? known : []);
        var owners = step.Owners.ToList();
        foreach (var (owner, layout) in owners.Where(o => workload.Kind.Updates() && o.Layout.IsTrained))
        {
            long sum = pieces.TryGetValue(owner, out var known) ? known.Sum() : 0;
            if (sum != layout.ElementCount)
            {
                errors.Add("step", null, $"{sum} of {layout.ElementCount} parameters of {owner} are updated");
            }

            if (known is not null && Parted(workload.StateOf(layout), known) is { } at)
            {
                errors.Add("step", null, $"parameters of {owner} are parted at {at}, within what one update needs");
                return;
            }
        }

        var g = workload.Geometry;
        if ((long)g.Rounds * g.ChunksPerRound * workload.Model.LayerCount > schedule.Ops.Length)
        {
            errors.Add("step", null, $"{schedule.Ops.Length} ops are not all of a step of {g.Rounds} rounds of {g.ChunksPerRound} chunks");
            return;
        }

        CheckPlacements([.. owners.Select(o => o.Owner)], [.. owners.Where(o => o.Layout.IsTrained).Select(o => o.Owner)]);
        int[] written = new int[schedule.Objects.Length];
        var seen = new bool[schedule.Ops.Length];
        int lastScratch = -1;
        step.Walk((identity, kept, operands) =>
        {
            if (errors.IsFull)
            {
                return;
            }

            if (!ops.TryGetValue(identity, out int index))
            {
                errors.Add("step", null, $"the step lacks {Text(identity)}");
                return;
            }

            seen[index] = true;
            if (schedule.Ops[index].Saved != kept)
            {
                errors.Add("step", index, $"keeps other tensors than the forward, {kept}");
            }

            CheckOperands(index, operands, written, lastScratch);
            lastScratch = operands.Any(o => o.Role == Roles.Scratch) ? index : lastScratch;
        });
        for (int i = 0; i < seen.Length; i++)
        {
            if (!seen[i] && schedule.Ops[i].Kind is not (OpKind.Fetch or OpKind.Save))
            {
                errors.Add("step", i, "is no op of this step");
            }
        }
    }

    private void CheckOperands(int index, List<CanonicalOperand> operands, int[] written, int lastScratch)
    {
        var accesses = schedule.Ops[index].Accesses;
        if (accesses.Length != operands.Count)
        {
            errors.Add("step", index, $"has {accesses.Length} operands instead of {operands.Count}");
        }

        for (int a = 0; a < Math.Min(accesses.Length, operands.Count); a++)
        {
            var (access, wanted) = (accesses[a], operands[a]);
            int target = objects.GetValueOrDefault(wanted.Object, -1);
            if (
                access.Role != wanted.Role
                || access.Object != target
                || access.Offset.Value != wanted.Offset
                || access.Length.Value != wanted.Length
                || access.Mode != wanted.Mode
            )
            {
                errors.Add(
                    "step",
                    index,
                    $"accesses {errors.Access(access)} of {access.Length.Value} bytes instead of "
                        + $"{wanted.Role}={wanted.Object}[{wanted.Offset}+{wanted.Length}] ({wanted.Mode})"
                );
            }
            else if (wanted.Role == Roles.Scratch)
            {
                // Scratch has no order among those who only write it; who reads it wants what its other half left there.
                if (wanted.Mode == AccessMode.ReadWrite && scratchBefore[index] != lastScratch)
                {
                    errors.Add(
                        "step",
                        index,
                        $"does not follow {(lastScratch < 0 ? "its other half" : errors.Op(lastScratch))} in its use of scratch"
                    );
                }
            }
            // bytes of its own
            else if (versions[index][a] != written[target] && wanted is not { Role: Roles.Loss or Roles.Norm, Mode: AccessMode.Write })
            {
                errors.Add("step", index, $"finds {errors.Access(access)} after {versions[index][a]} writes instead of {written[target]}");
            }
        }

        foreach (var operand in operands)
        {
            if (operand.Mode != AccessMode.Read && objects.TryGetValue(operand.Object, out int o))
            {
                written[o]++;
            }
        }
    }

    /// <summary>
    /// All parameters, their optimizer's state and all tables are there from the start, and what a step is for at its end.
    /// </summary>
    private void CheckPlacements(List<ParameterOwner> owners, List<ParameterOwner> trained)
    {
        var geometry = workload.Geometry;
        Demand("state", schedule.State, owners.Select(o => new ObjectId(ObjectFamily.Weights) { Owner = o }));
        Demand(
            "state",
            schedule.State,
            workload.Kind.Updates()
                ? trained.SelectMany(o =>
                    Enumerable
                        .Range(0, pieces.GetValueOrDefault(o)?.Count ?? 0)
                        .Select(p => new ObjectId(ObjectFamily.Moments) { Owner = o, Piece = p })
                )
                : []
        );
        Demand(
            "input",
            schedule.Inputs,
            Enumerable
                .Range(0, geometry.Rounds)
                .SelectMany(r =>
                    Enumerable
                        .Range(0, geometry.ChunksPerRound)
                        .Select(c => new ObjectId(ObjectFamily.Tables) { Chunk = new Chunk(c), Round = new Round(r) })
                )
        );
        bool generates = workload.Kind == WorkloadKind.Generation;
        var sources = workload.Model.Layers.Where(l => workload.Model.KindOf(l).HasWindow);
        Demand("state", schedule.State, generates ? sources.Select(CacheOf) : geometry.Pairs ? [new(ObjectFamily.Pairs)] : []);
        Demand("output", schedule.Outputs, generates ? LogitsOf(workload) : geometry.Pairs ? [] : [new(ObjectFamily.Losses)]);
        Demand(
            "output",
            schedule.Outputs,
            workload.Kind == WorkloadKind.ClippedTraining ? [new ObjectId(ObjectFamily.Norms)]
                : workload.Kind == WorkloadKind.Gradients ? trained.Select(o => new ObjectId(ObjectFamily.Gradients) { Owner = o })
                : []
        );
        DemandOnly(
            "state",
            schedule.State,
            generates ? [ObjectFamily.Weights, ObjectFamily.Windows] : [ObjectFamily.Weights, ObjectFamily.Moments, ObjectFamily.Pairs]
        );
        DemandOnly("input", schedule.Inputs, ObjectFamily.Tables);
        DemandOnly(
            "output",
            schedule.Outputs,
            generates ? [ObjectFamily.Logits] : [ObjectFamily.Losses, ObjectFamily.Norms, ObjectFamily.Gradients]
        );
    }

    private static ObjectId CacheOf(Layer layer) =>
        new(ObjectFamily.Windows)
        {
            Layer = layer,
            Group = 0,
            Round = new Round(0),
        };

    private static IEnumerable<ObjectId> LogitsOf(Workload workload)
    {
        var vocabulary = new VocabularyRows(workload.Model.VocabSize, workload.Geometry.VocabularyBlocks);
        return vocabulary.AreCut
            ? vocabulary.Blocks.Select(b => CanonicalStep.LogitsOf(b))
            : [CanonicalStep.LogitsOf(null)];
    }

    private void DemandOnly(string kind, IEnumerable<Placement> placements, params ObjectFamily[] families)
    {
        foreach (var p in placements.Where(p => !families.Contains(ids[p.Object]?.Family)))
        {
            errors.Add("step", null, $"{errors.Object(p.Object)} is no {kind} of a step");
        }
    }

    private void Demand(string kind, IEnumerable<Placement> placements, IEnumerable<ObjectId> wanted)
    {
        var there = placements.Select(p => ids[p.Object]).ToHashSet();
        foreach (var id in wanted.Where(id => !there.Contains(id)))
        {
            errors.Add("step", null, $"{kind} {id} is missing");
        }
    }

    private static string Text(OpIdentity op) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{op.Kind} {op.Owner?.ToString() ?? op.Layer?.ToString()} {op.Block?.ToString()} {op.Chunk?.ToString()} "
                + $"{op.Round?.ToString()} {(op.Piece > 0 ? $"piece {op.Piece}" : "")}"
        );
}
