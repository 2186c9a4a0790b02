using Dataflow.Corpora;
using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// A run that may take its first step: model, data, plan, device and trainer have met, and what could be refused was not.
/// </summary>
internal sealed record PreparedRun : IDisposable
{
    /// <summary>What the user chose.</summary>
    public required TrainingOptions Settings { get; init; }

    /// <summary>What runs.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>Told of what happens.</summary>
    public required Action<RunEvent> Tell { get; init; }

    /// <summary>Loaded: its step is the last that was taken, or 0.</summary>
    public required Trainer Trainer { get; init; }

    /// <summary>What it trains on, where its last step left off.</summary>
    public required IRowFeed Feed { get; init; }

    /// <summary>Looks at some of its steps more closely.</summary>
    public required StepSampler Sampler { get; init; }

    /// <summary>Writes its figures; null where it has no folder.</summary>
    public required RunMetrics? Metrics { get; init; }

    /// <summary>What it knows of its own numbers.</summary>
    public required RunWatch Watch { get; init; }

    /// <summary>The learning rate of each step.</summary>
    public required LearningRateSchedule Rates { get; init; }

    /// <summary>What measures its loss on other data; null if nothing does.</summary>
    public required Validation? Validation { get; init; }

    /// <summary>Keeps the timelines of steps; null if none are wanted.</summary>
    public required StepTrace? Trace { get; init; }

    /// <summary>What the simulator says of its steps; null where the machine has no profile.</summary>
    public required Prediction? Prediction { get; init; }

    /// <summary>Watches the GPU's memory; null where there is no GPU.</summary>
    public required GpuBudget? Memory { get; init; }

    /// <summary>A summary without steps of its own.</summary>
    public required RunSummary Before { get; init; }

    /// <summary>Null if the run is not saved.</summary>
    public required RunSaving? Saving { get; init; }

    /// <summary>What it disposes of.</summary>
    public required PreparedRun.Parts Owned { get; init; }

    /// <summary>What heads pages about it.</summary>
    public string Title => $"{ModelSource.NameOf(Settings.Plan.Model)}, sequences of {Plan.Workload.Geometry.Seqlen:N0}: "
        + $"{Plan.Budget.Device} of device memory, {Plan.Budget.Host} of host memory";

    private int saveAsked;

    /// <summary>Asks for a save after the step that is running; from any thread.</summary>
    public void RequestSave() => Interlocked.Exchange(ref saveAsked, 1);

    /// <summary>Whether that was asked since this was last called.</summary>
    public bool TakeSaveRequest() => Interlocked.Exchange(ref saveAsked, 0) != 0;

    /// <summary>Prepares it.</summary>
    /// <exception cref="UserErrorException">Something given cannot be used.</exception>
    /// <exception cref="InfeasibleException">No plan fits the budgets.</exception>
    public static PreparedRun Of(TrainingOptions settings, Action<RunEvent> tell)
    {
        var parts = new Parts();
        try
        {
            return Of(settings, tell, parts);
        }
        catch
        {
            parts.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Owned.Dispose();

    private static PreparedRun Of(TrainingOptions settings, Action<RunEvent> tell, Parts parts)
    {
        void Note(string note) => tell(new RunEvent.Noted([note]));
        bool weighted = settings.Source is { HasWeights: true };
        settings = settings with
        {
            Plan = settings.Plan.Completed with { TargetWeights = weighted, Pairs = settings.Preference is not null },
        };
        var (resumed, by) = (settings.Resumed, settings.Plan.By);
        settings = Resumption.Continue(settings);
        settings.Watch.Check(settings);
        RunMetrics.Check(settings);
        // What cannot be is refused before anything is planned, where that does not depend on the plan's batch.
        var known = settings.Warmup.InTokens ? null : settings.RatesOf(1);

        tell(new RunEvent.Noted(resumed?.Notices ?? []));
        var store = parts.Own(
            settings.Saves is { } saves ? CheckpointStore.Open(saves.Folder, saves.Keep, Note) : null
        );
        store?.Begin(resumed?.Checkpoint.Progress.Step ?? 0);
        var source = parts.Own(
            resumed is null
                ? ModelSource.Open(settings.Plan.Model).Trained(settings.Plan)
                : ModelSource.Of(resumed, settings.Plan.Model).Trained(settings.Plan with { Adapter = null })
        );
        tell(new RunEvent.Opened(source.Notes));
        var has = RunMemory.Take(settings.Plan, tell);
        var data = parts.Own(TrainingData.Open(settings, source));
        var held = parts.Own(MeasuredData.Open(settings, data, source));
        PreferenceData.Check(settings, data, held);
        var reference = settings.Preference is null || settings.Source is not null ? null : Reference.Of(settings, source.Model);
        var begun = store is null && resumed is null ? null : RunData.Of(settings, data, held);
        if (resumed is not null)
        {
            begun!.Check(resumed, settings.Validation);
        }

        settings.Groups.Check(source.Model, settings.Optimizer.LearningRate);
        // Of a run that trains an adapter a checkpoint has that alone.
        var weights = resumed is null || source.Model.Adapter is not null ? source.Weights(settings.Seed, Note) : null;
        string? ofBase = source.Model.Adapter is null ? null : source.Fingerprint(settings.Seed);
        Resumption.CheckBase(resumed, settings.Plan.Model, ofBase);
        var question = new PlanQuestion(
            settings.Plan.Running(data.IsPacked || held?.Tokens.Documents(0) is not null),
            source.Model,
            has.Budgets.Memory,
            by,
            data.RowCount,
            resumed is not null
        );
        var result = Plans.Make(question);
        tell(new RunEvent.Planned(question.Request, result, has.Budgets, by, PlanNotes.Of(question, result)));
        var plan = Plans.Require(result);
        Resumption.Check(resumed, plan.Workload.Geometry);
        var free = has.Check(plan, tell);
        var progress = new TrainingProgress(0, settings.Seed, plan.Workload.Recipe.Name, plan.Workload.Geometry)
        {
            Optimizer = plan.Workload.Optimizer.Name,
            Settings = SavedSettings.Of(
                settings,
                begun,
                (ofBase, reference?.Fingerprint),
                begun is not null && settings.Plan.Device.Gpu is { } on
                    ? ProductFiles.For(on).IdentityFor(plan.Schedule, plan.Workload)
                    : null
            ),
        };
        if (resumed is not null)
        {
            SavedSettings.CheckRows(resumed, progress.Settings);
        }

        var rates = known ?? settings.RatesOf((long)plan.Workload.Geometry.Rows * plan.Workload.Geometry.Seqlen);
        var saving = settings.Saves is { } wanted ? SavePlan.For(wanted, plan, RunWatch.Longest(progress, settings.Watch), free) : null;
        CheckDisks(settings, plan, saving);
        ExportFolder.Prepare(settings, source, plan.Workload.Recipe);
        var place = settings.Plan.Device;
        var graphs = GraphChoice.Of(plan, place, HardwareFiles.ThisMachine(place.Kind, settings.Plan.Hardware));
        var prediction = Prediction.For(plan, place, settings.Plan.Hardware, free, graphs.Used, by.Remembers);
        var memory = parts.Own(GpuBudget.Watch(settings.Plan.Device, plan));
        var launching = new CudaDeviceSettings { Graphs = graphs.Used, GraphsRefused = place.Graphs == GraphUse.Auto ? Note : null };
        var device = parts.Own(place.Create(plan.Schedule, plan.Workload, launching));
        memory?.Check(plan);
        var evaluation = held is null && reference is null ? null : parts.Own(EvaluationStep.Open(plan, device));
        var validation = held is null ? null : new Validation(held, settings.ValidateEvery, evaluation!);
        var trainer = new Trainer(plan.Workload, plan.Schedule, device, evaluation?.Executor, settings.Seed, settings.Preference)
        {
            StashFolder = settings.Saves?.Folder ?? Path.GetTempPath(),
            Updates = settings.Groups.IsEmpty
                ? null
                : UpdateTable.Of(plan.Workload, settings.Groups, settings.Optimizer.LearningRate),
            OnNonFinite = settings.Watch.OnNonFinite,
        };
        string? began = store is null || resumed is not null ? null : ofBase ?? source.Fingerprint(settings.Seed);
        var description = RunDescription.Of(settings, plan, by, progress.Settings, began);
        tell(new RunEvent.Described(description));
        Budgets.Warn(description.Differences(settings.File?.Recorded), tell);
        string weightsFrom = resumed?.Checkpoint.Folder ?? source.Folder ?? $"initial values from seed {settings.Seed}";
        tell(new RunEvent.Starting(device.Name, data.Description, weightsFrom));
        tell(new RunEvent.Predicted(prediction));
        if (settings.IsScheduled)
        {
            tell(new RunEvent.Scheduled(rates));
        }

        tell(
            new RunEvent.Noted([
                .. graphs.Note is { } why ? [why] : Array.Empty<string>(),
                .. source.TrainingNotes,
                .. source.NotesOf(settings.Plan.Seqlen),
                .. data.NotesOf(plan.Workload.Geometry),
                .. held?.Notes ?? [],
                .. GroupNotes.Of(settings.Groups, plan.Workload.Model, settings.Optimizer),
            ])
        );
        if (validation is not null)
        {
            tell(new RunEvent.Validating(validation.Describe(prediction)));
        }

        var changes = Resumption.Changes(resumed, progress);
        foreach (var change in changes)
        {
            tell(new RunEvent.Changed(change));
        }

        if (saving is not null)
        {
            tell(new RunEvent.SavesPlanned(saving, prediction?.Seconds, begun));
        }

        string depends = $"{place.Kind} {progress.Settings.GetValueOrDefault(SavedSettings.Products)}";
        reference?.Fill(
            trainer,
            PreferenceData.Of(data, held),
            depends,
            plan.Workload.Geometry,
            rows => evaluation!.Describe(rows, prediction),
            Note
        );
        var loaded = Work.Named("loading the weights", () => Load(trainer, weights, resumed, store, Note));
        var before = loaded is null
            ? new RunSummary(plan)
            : Resumption.Sums(new RunSummary(plan), loaded.Progress.Settings, trainer.StepsDone);
        var feed = data.Feed(plan.Workload.Geometry.Rows, settings.Seed);
        Resumption.Seek(feed, loaded);
        var watch = new RunWatch(settings.Watch, trainer, loaded?.Progress.Settings);
        if (watch.Memory > Bytes.Zero)
        {
            Note($"--watch takes {watch.Memory} of host memory beyond the budget");
        }

        if (store is not null)
        {
            (resumed is null ? description : description.After(resumed.Folder, trainer.StepsDone, changes)).Save(store.Folder);
        }

        var begins = RunHeader.Of(settings, plan, prediction, device.Name, data.Description);
        var metrics = parts.Own(RunMetrics.Open(settings, trainer.StepsDone, begins, changes, tell));
        void TellAll(RunEvent happened)
        {
            metrics?.Take(happened);
            tell(happened);
        }

        var trace = parts.Own(StepTrace.Open(settings, device, plan.Schedule, trainer.StepsDone + 1));
        return new PreparedRun
        {
            Settings = settings,
            Plan = plan,
            Tell = TellAll,
            Trainer = trainer,
            Sampler = new StepSampler(
                device, plan.Schedule, plan.Workload.Model.BalancedExperts, memory, RunMetrics.ValuesOf(settings, trainer, device)),
            Metrics = metrics,
            Watch = watch,
            Rates = rates,
            Feed = feed,
            Validation = validation,
            Trace = trace,
            Prediction = prediction,
            Memory = memory,
            Before = before with { Predicted = prediction },
            Saving = parts.Own(saving is null ? null : new RunSaving(store!, saving, trainer, TellAll, progress) { Watch = watch }),
            Owned = parts,
        };
    }

    private static StoredCheckpoint? Load(
        Trainer trainer,
        IWeightSource? weights,
        SavedRun? resumed,
        CheckpointStore? store,
        Action<string> note
    )
    {
        if (weights is not null)
        {
            trainer.Load(weights);
            trainer.LoadedFrom = weights;
        }

        if (resumed is null)
        {
            return null;
        }

        bool savesThere = store is not null && Path.GetFullPath(store.Folder) == Path.GetFullPath(resumed.Folder);
        return savesThere
            ? store!.Load(resumed.Checkpoint, trainer)
            : CheckpointSearch.Load(resumed.Checkpoint, trainer, note);
    }

    private static void CheckDisks(TrainingOptions settings, TrainingPlan plan, SavePlan? saving)
    {
        var needs = new List<DiskNeed>();
        if (saving is not null)
        {
            int there = Directory.GetDirectories(saving.Settings.Folder, "step-*").Length;
            needs.Add(
                saving.Room(settings.Steps - (settings.Resumed?.Checkpoint.Progress.Step ?? 0), there, settings.Validation is not null)
            );
        }

        if (settings.Export is { } folder)
        {
            needs.Add(
                new DiskNeed(
                    folder,
                    "the exported weights",
                    plan.Workload.Model.Adapter is null
                        ? new Bytes(plan.Workload.Model.ParameterCount * plan.Workload.Recipe.Parameters.Size())
                        : new Bytes(plan.Workload.Model.TrainedParameterCount * sizeof(float))
                )
            );
        }

        DiskRoom.Require(needs);
    }

    /// <summary>What ends with the run, the last first.</summary>
    internal sealed class Parts : IDisposable
    {
        private readonly Stack<IDisposable> parts = [];

        /// <summary>Takes one; null is none.</summary>
        public T Own<T>(T part)
            where T : IDisposable?
        {
            if (part is not null)
            {
                parts.Push(part);
            }

            return part;
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            while (parts.TryPop(out var part))
            {
                part.Dispose();
            }
        }
    }
}
