using Dataflow.Model;

namespace Dataflow.Baseline;

/// <summary>
/// What the published system (als244/ml_dataflow, in the settings of its recorded sweeps) decides. Total and pure; each stage's head
/// comment has its rule.
/// </summary>
public static class BaselinePlanner
{
    /// <summary>The published system's plan, or why it has none.</summary>
    /// <exception cref="UserErrorException">A model that the published system cannot express.</exception>
    public static BaselineResult Plan(BaselineRequest request)
    {
        Check(request);
        var (model, machine, seqlen, budget) = request;

        var blocks = BlockSizes.Of(model);
        var chunking = Chunking.Of(model, seqlen, machine.MinChunkTokens);
        var activations = ActivationSizes.Of(model, chunking.ChunkTokens);
        var workspace = StickyMemory.Slack + AttentionWorkspace.Of(model, seqlen, chunking, machine);
        var sticky = StickyMemory.Of(model, seqlen, chunking, workspace);
        if (sticky > budget.Device)
        {
            return Refuse(BaselineLimit.Sticky, "device", sticky, "stays there during the whole step");
        }

        var least = sticky + DeviceSplit.Least(blocks.Block, activations.Estimate);
        if (least > budget.Device)
        {
            return Refuse(BaselineLimit.Minimum, "device", least, "is needed with one layer at a time");
        }

        var split = DeviceSplit.Of(model.LayerCount, chunking.ChunksPerRound, blocks.Block, activations.Estimate, budget.Device - sticky);
        var hostBase = HostPartition.Base(model, chunking);
        if (hostBase > budget.Host)
        {
            return Refuse(BaselineLimit.HostBase, "host", hostBase, "is needed for the model's state");
        }

        var leastHost = hostBase + (activations.InputOnly * split.HomePairs);
        if (leastHost > budget.Host)
        {
            return Refuse(BaselineLimit.InputOnly, "host", leastHost, "is needed for the model's state and the least that chunks save");
        }

        var affordable = LevelCounts.Of(split.HomePairs, activations, budget.Host - hostBase);
        var (counted, quota) = LinkCorrection.Apply(request, chunking, split, activations, affordable);
        var placement = counted.InputOnly > 0
            ? LevelPlacement.Spread(counted, chunking.ChunksPerRound)
            : LevelPlacement.Alternate(counted, quota, split.DevicePairs);
        if (placement is null)
        {
            var enough = hostBase + (activations.Attention * split.HomePairs);
            return Refuse(
                BaselineLimit.Placement,
                "host",
                enough,
                "is needed to save attention where less than a layer goes home; the published system divides by zero below that"
            );
        }

        var device = DevicePartition.Of(model, seqlen, chunking, workspace, split);
        if (device.Persistent + (2 * blocks.Block) is var updating && updating > budget.Device)
        {
            return Refuse(BaselineLimit.OptimizerSlots, "device", updating, "is needed to update one block at a time");
        }

        var usedHost = hostBase + placement.Size(activations);
        if (usedHost > budget.Host)
        {
            return Refuse(BaselineLimit.FinalCheck, "host", usedHost, "is what the finished plan takes");
        }

        if (device.Used > budget.Device)
        {
            return Refuse(BaselineLimit.FinalCheck, "device", device.Used, "is what the finished plan takes");
        }

        return new BaselineResult.Feasible(
            new BaselinePlan
            {
                Request = request,
                Chunking = chunking,
                Activations = activations,
                Workspace = workspace,
                Sticky = sticky,
                Device = split,
                Counted = counted,
                Placement = placement,
                Rounds = StepLength.Rounds(request, chunking),
                OptimizerSlots = device.OptimizerSlots(budget.Device, blocks.Block),
                UsedHost = usedHost,
                UsedDevice = device.Used,
            }
        );

        BaselineResult Refuse(BaselineLimit limit, string memory, Bytes needed, string what) =>
            new BaselineResult.Infeasible(
                limit,
                $"{model.Name} at seqlen {seqlen} does not fit {(memory == "device" ? budget.Device : budget.Host)} of {memory} memory "
                    + $"under policy reference: {needed} {what}"
            );
    }

    private static void Check(BaselineRequest request)
    {
        if (request.Seqlen < 1)
        {
            throw new UserErrorException($"--seqlen is {request.Seqlen}; give a number of at least 1");
        }

        var model = request.Model;
        string? fault = model.TiedEmbedding ? "an embedding tied to the head"
            : model.QkNorm ? "norms of queries and keys"
            : model.Norm != NormKind.Rms ? "LayerNorm"
            : model.Placement != NormPlacement.Before ? "norms elsewhere than before attention and feed-forward"
            : model.Biases != Biases.None ? "biases"
            : !model.GatedFfn ? "a feed-forward of two matrices"
            : model.Pattern is not null ? "layers that differ"
            : model.QueryDim != model.ModelDim ? $"heads that are {model.QueryDim} wide together beside a model_dim of {model.ModelDim}"
            : null;
        if (fault is not null)
        {
            throw new UserErrorException(
                $"{model.Name} has {fault}, which the published system does not have: choose another model or another policy than reference"
            );
        }
    }
}
