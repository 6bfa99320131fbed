/* From the pixels of an image to the model's input, and from its output to an answer: the
 * arithmetic of the Python runner, in C89 without a library. Also valid C++.
 *
 * The interpreter between the two is not shown; the numbers come from the header that lies beside
 * every bundle. See device_c.md.
 *
 *     cc -O2 -ffp-contract=off -I FOLDER_OF_THE_BUNDLE device_example.c -lm -o example
 *     ./example prepare WIDTH HEIGHT < pixels.rgb > input.tensor
 *     ./example decide < output.tensor
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weights are whole numbers of 2^-22: products with 8-bit pixels, summed, stay within 32 bits. */
#define LAB_WEIGHT_BITS 22

/* The centred crop of an image: left, top, right, bottom in pixels. Of the largest rectangle with
 * the shape of the model's input that fits, the fraction `crop` of each side is kept. */
void lab_crop_box(int width, int height, int input_width, int input_height, double crop,
                  float box[4])
{
    double across = (double)width / input_width, down = (double)height / input_height;
    double scale = crop * (across < down ? across : down);
    double half_width = scale * input_width / 2, half_height = scale * input_height / 2;
    double left = width / 2.0 - half_width, right = width / 2.0 + half_width;
    double top = height / 2.0 - half_height, bottom = height / 2.0 + half_height;
    box[0] = (float)(left < 0 ? 0 : left);
    box[1] = (float)(top < 0 ? 0 : top);
    box[2] = (float)(right > width ? width : right);
    box[3] = (float)(bottom > height ? height : bottom);
}

/* For every output position along one axis: the first input position, how many, their weights. */
typedef struct {
    int taps; /* room for weights per output position */
    int *first, *count, *weights;
} lab_filter;

static void lab_filter_free(lab_filter *filter)
{
    free(filter->first);
    free(filter->count);
    free(filter->weights);
}

/* A triangle as wide as an output pixel, or as an input pixel when enlarging: bilinear
 * interpolation that averages over everything it shrinks. Returns 0 without memory. */
static int lab_filter_make(lab_filter *filter, int in_size, float from, float to, int out_size)
{
    double step = (double)(to - from) / out_size;
    double reach = step < 1.0 ? 1.0 : step;
    double *exact;
    int i, j;

    filter->taps = (int)ceil(reach) * 2 + 1;
    filter->first = (int *)malloc((size_t)out_size * sizeof(int));
    filter->count = (int *)malloc((size_t)out_size * sizeof(int));
    filter->weights = (int *)malloc((size_t)out_size * (size_t)filter->taps * sizeof(int));
    exact = (double *)malloc((size_t)filter->taps * sizeof(double));
    if (!filter->first || !filter->count || !filter->weights || !exact) {
        free(exact);
        lab_filter_free(filter);
        return 0;
    }
    for (i = 0; i < out_size; i++) {
        double centre = from + (i + 0.5) * step, sum = 0.0;
        int begin = (int)(centre - reach + 0.5), end = (int)(centre + reach + 0.5);
        if (begin < 0) begin = 0;
        if (end > in_size) end = in_size;
        for (j = 0; j < end - begin; j++) {
            double distance = fabs((j + begin - centre + 0.5) * (1.0 / reach));
            exact[j] = distance < 1.0 ? 1.0 - distance : 0.0;
            sum += exact[j];
        }
        filter->first[i] = begin;
        filter->count[i] = end - begin;
        for (j = 0; j < end - begin; j++) {
            double weight = sum != 0.0 ? exact[j] / sum : exact[j];
            filter->weights[i * filter->taps + j] =
                (int)(0.5 + weight * (double)(1L << LAB_WEIGHT_BITS));
        }
    }
    free(exact);
    return 1;
}

/* Weighted sum of `count` pixels that lie `stride` bytes apart, rounded, 0..255. */
static unsigned char lab_weigh(const unsigned char *pixels, int stride, const int *weights,
                               int count)
{
    int sum = 1 << (LAB_WEIGHT_BITS - 1), i;
    for (i = 0; i < count; i++) sum += pixels[(long)i * stride] * weights[i];
    if (sum < 0) return 0;
    sum >>= LAB_WEIGHT_BITS;
    return (unsigned char)(sum > 255 ? 255 : sum);
}

/* Cuts `box` out of an RGB image and resizes it, first across, then down, rounding to 8 bits in
 * between. `out` holds out_width * out_height * 3 bytes. Returns 0 without memory. */
int lab_resize(const unsigned char *image, int width, int height, const float box[4],
               unsigned char *out, int out_width, int out_height)
{
    /* A pass that would change nothing is left out: its rounding would be none. */
    int across = out_width != width || box[0] != 0.0f || box[2] != (float)width;
    int down = out_height != height || box[1] != 0.0f || box[3] != (float)height;
    unsigned char *middle = (unsigned char *)malloc((size_t)out_width * (size_t)height * 3);
    lab_filter filter;
    int x, y, c;

    if (!middle) return 0;
    if (across) {
        if (!lab_filter_make(&filter, width, box[0], box[2], out_width)) {
            free(middle);
            return 0;
        }
        for (y = 0; y < height; y++)
            for (x = 0; x < out_width; x++)
                for (c = 0; c < 3; c++)
                    middle[((long)y * out_width + x) * 3 + c] = lab_weigh(
                        image + ((long)y * width + filter.first[x]) * 3 + c, 3,
                        filter.weights + x * filter.taps, filter.count[x]);
        lab_filter_free(&filter);
    } else {
        memcpy(middle, image, (size_t)width * (size_t)height * 3);
    }
    if (down) {
        if (!lab_filter_make(&filter, height, box[1], box[3], out_height)) {
            free(middle);
            return 0;
        }
        for (y = 0; y < out_height; y++)
            for (x = 0; x < out_width * 3; x++)
                out[(long)y * out_width * 3 + x] =
                    lab_weigh(middle + (long)filter.first[y] * out_width * 3 + x, out_width * 3,
                              filter.weights + y * filter.taps, filter.count[y]);
        lab_filter_free(&filter);
    } else {
        memcpy(out, middle, (size_t)out_width * (size_t)out_height * 3);
    }
    free(middle);
    return 1;
}

/* Grey of the same luminance in all three channels. */
void lab_luminance(unsigned char *rgb, long pixels)
{
    long i;
    for (i = 0; i < pixels; i++, rgb += 3) {
        long grey = (2989L * rgb[0] + 5870L * rgb[1] + 1140L * rgb[2] + 5000L) / 10000L;
        rgb[0] = rgb[1] = rgb[2] = (unsigned char)grey;
    }
}

/* Calibrated scores of logits. `scores` may be the same array as `logits`. */
void lab_softmax(const double *logits, double *scores, int classes, double temperature)
{
    double highest = logits[0], sum = 0.0;
    int i;
    for (i = 1; i < classes; i++)
        if (logits[i] > highest) highest = logits[i];
    for (i = 0; i < classes; i++) {
        scores[i] = exp((logits[i] - highest) / temperature);
        sum += scores[i];
    }
    for (i = 0; i < classes; i++) scores[i] /= sum;
}

/* The class with the highest score, of equal ones the first; `*accepted` tells whether its score
 * reaches its threshold, so that it is the answer and not "unknown". Scores are compared in float,
 * as the Python runner holds them. */
int lab_decide(const double *scores, const double *thresholds, int classes, int *accepted)
{
    int best = 0, i;
    for (i = 1; i < classes; i++)
        if ((float)scores[i] > (float)scores[best]) best = i;
    *accepted = (double)(float)scores[best] >= thresholds[best];
    return best;
}

#ifndef LAB_ONLY_FUNCTIONS
#include "model_int8.h"

#if !MODEL_INT8_INTERPOLATION_BILINEAR
#error "This example resizes bilinearly; the bundle wants another interpolation."
#endif
#if !(MODEL_INT8_INPUT_INT8 || MODEL_INT8_INPUT_UINT8) || !MODEL_INT8_INPUT_TAKES_PIXELS
#error "This example is for models whose input has an integer for each pixel value."
#endif
#if !(MODEL_INT8_OUTPUT_INT8 || MODEL_INT8_OUTPUT_UINT8)
#error "This example is for models with 8-bit logits."
#endif

#define INPUT_PIXELS ((long)MODEL_INT8_INPUT_WIDTH * MODEL_INT8_INPUT_HEIGHT)

static int prepare(int width, int height)
{
    static unsigned char tensor[INPUT_PIXELS * MODEL_INT8_INPUT_CHANNELS];
    size_t bytes = (size_t)width * (size_t)height * 3;
    unsigned char *image = (unsigned char *)malloc(bytes);
    float box[4];
    int done = 0;

    if (image && fread(image, 1, bytes, stdin) == bytes) {
        lab_crop_box(width, height, MODEL_INT8_INPUT_WIDTH, MODEL_INT8_INPUT_HEIGHT,
                     MODEL_INT8_CROP, box);
        done = lab_resize(image, width, height, box, tensor, MODEL_INT8_INPUT_WIDTH,
                          MODEL_INT8_INPUT_HEIGHT);
    }
    free(image);
    if (!done) return 1;
#if MODEL_INT8_COLOUR_LUMINANCE
    lab_luminance(tensor, INPUT_PIXELS);
#endif
#if MODEL_INT8_INPUT_INT8
    {
        long i; /* pixel - 128, whose bits are those of the pixel with the highest one turned */
        for (i = 0; i < INPUT_PIXELS * MODEL_INT8_INPUT_CHANNELS; i++) tensor[i] ^= 0x80;
    }
#endif
    return fwrite(tensor, 1, sizeof tensor, stdout) != sizeof tensor;
}

static int decide(void)
{
    static const char *const labels[MODEL_INT8_CLASSES] = MODEL_INT8_LABELS;
    static const double thresholds[MODEL_INT8_CLASSES] = MODEL_INT8_REJECTION_THRESHOLDS;
    unsigned char stored[MODEL_INT8_CLASSES];
    double scores[MODEL_INT8_CLASSES];
    int best, accepted, i;

    if (fread(stored, 1, sizeof stored, stdin) != sizeof stored) return 1;
    for (i = 0; i < MODEL_INT8_CLASSES; i++) {
        int value = stored[i];
#if MODEL_INT8_OUTPUT_INT8
        if (value > 127) value -= 256;
#endif
        scores[i] = MODEL_INT8_OUTPUT_SCALE * (value - MODEL_INT8_OUTPUT_ZERO_POINT);
    }
    lab_softmax(scores, scores, MODEL_INT8_CLASSES, MODEL_INT8_TEMPERATURE);
    best = lab_decide(scores, thresholds, MODEL_INT8_CLASSES, &accepted);
    printf("%s\t%.6f\t%s\n", accepted ? labels[best] : MODEL_INT8_UNKNOWN, scores[best],
           labels[best]);
    return 0;
}

int main(int count, char **words)
{
    if (count == 4 && strcmp(words[1], "prepare") == 0 && atoi(words[2]) > 0 &&
        atoi(words[3]) > 0)
        return prepare(atoi(words[2]), atoi(words[3]));
    if (count == 2 && strcmp(words[1], "decide") == 0) return decide();
    fprintf(stderr, "usage: example prepare WIDTH HEIGHT | example decide\n");
    return 2;
}
#endif
