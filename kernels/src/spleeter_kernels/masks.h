// Spleeter's ratio mask. logits: a pointer a stem to `count` values; mix: (count); masks: (stems, count).

extern "C" void NAME(ratio_masks)(const float *const *logits, size_t stems, const float *mix, size_t count,
                                  int has_softmax, int exponent, float epsilon, float *masks) {
    for (size_t at = 0; at < count; at += LANES) {
        vec largest = load(logits[0] + at), sum = vec{}, total = all(epsilon);
        if (has_softmax)
            for (size_t s = 1; s < stems; s++) {
                const vec logit = load(logits[s] + at);
                largest = logit > largest ? logit : largest;
            }
        for (size_t s = 0; s < stems; s++) {
            const vec logit = load(logits[s] + at);
            const vec grown = exponential(bounded(has_softmax ? logit - largest : -logit, -87.0f, 88.0f));
            store(masks + s * count + at, has_softmax ? grown : 1.0f / (1.0f + grown));
            sum += grown;
        }
        for (size_t s = 0; s < stems; s++) {
            vec share = load(masks + s * count + at);
            if (has_softmax) share /= sum;
            const vec magnitude = share * load(mix + at);
            vec power = magnitude;
            for (int k = 1; k < exponent; k++) power *= magnitude;
            store(masks + s * count + at, power);
            total += power;
        }
        for (size_t s = 0; s < stems; s++)
            store(masks + s * count + at, (load(masks + s * count + at) + epsilon / stems) / total);
    }
}
